// Package mqtt is the server side of MQTT 3.1, 3.1.1 and 5.0 as a state
// machine without I/O: it is given bytes, wake-ups and time, and appends bytes
// to an output. The documents are the OASIS standards MQTT Version 3.1.1 and
// MQTT Version 5.0, and IBM's MQTT V3.1; comments cite their normative
// statements as [MQTT-n.n.n-n].
//
// Each packet has a file: connect.go, publish.go, ack.go, subscribe.go,
// unsubscribe.go, disconnect.go; deliver.go is the way out. What has a state
// of its own is a type of its own: the packet identifiers in flight
// (inflight.go), those of the client (inbound.go), the answers that wait for
// the store (answers.go), the topic aliases (alias.go). conn.go holds what is
// left and dispatches.
package mqtt
