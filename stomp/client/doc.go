// Package client speaks STOMP 1.0 to 1.2 as the gateway's own commands and
// bridges need it: publishes to topics and subscriptions to filters, both
// canonical (a/b, a/+/#, $queue/NAME, $share/GROUP/FILTER). Topics travel in
// dot style under /topic/, which RabbitMQ and ActiveMQ read too; QoS 1 is a
// RECEIPT or an ACK.
//
// It stands on stomp/frame and not on go-stomp, whose Send holds the
// connection's lock until the RECEIPT has come: one message a round trip.
package client
