// Package client speaks AMQP 0-9-1 as the gateway's own commands need it: a
// thin layer over amqp091-go that publishes to topics and subscribes to
// filters. Topics travel as routing keys of amq.topic, "$queue/NAME" is the
// queue of that name; QoS 1 is a publisher confirm or an acknowledgement.
package client
