// Package mosquitto reads the password and access control files of mosquitto, as mosquitto.conf(5) and
// mosquitto_passwd(1) describe them, into users and rules.
package mosquitto
