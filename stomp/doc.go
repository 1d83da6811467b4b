// Package stomp is the server side of STOMP 1.0, 1.1 and 1.2
// (https://stomp.github.io/stomp-specification-1.2.html), with the headers and
// destinations that clients of RabbitMQ and ActiveMQ use. A connection is a
// state machine without I/O: adapters/listen drives it over TCP, TLS and
// WebSocket. docs/stomp.md sums up the numbered statements (ST1, ST2, ...) that the
// code cites.
package stomp
