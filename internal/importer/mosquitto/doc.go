// Package mosquitto turns a mosquitto.conf, as mosquitto.conf(5) describes it, and the password and access control files
// that it names, into a configuration of ours, with a report of what became of each line.
//
// What cannot be translated never makes the result more open: a listener whose protection is lost is left out, and who
// would have been authorized by a plugin is not let in.
package mosquitto
