// Package pskfile reads files of pre-shared keys for DTLS: identity:hexkey a
// line, as psk_file of mosquitto.conf(5) describes them, with comments and
// empty lines.
package pskfile
