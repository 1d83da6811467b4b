// Package mqttsn is the MQTT-SN room: an aggregating gateway for MQTT-SN 1.2
// ("MQTT For Sensor Networks (MQTT-SN) Protocol Specification", version 1.2,
// 14 November 2013) over UDP, whose broker is the core.
//
// One endpoint per listener finds the peer from the datagram: by its address
// and, behind a forwarder, its node id. The endpoint does no I/O: it is given
// datagrams, wake-ups and time, and appends datagrams to an output.
package mqttsn
