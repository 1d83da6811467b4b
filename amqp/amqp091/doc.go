// Package amqp091 is the AMQP 0-9-1 listener: the specification of November
// 2008 with the extensions that RabbitMQ's clients rely on. A connection is a
// state machine without I/O (adapters.Conn); the wire format is in the
// package wire, exchanges and property mapping in amqp/exchange.
//
// amq.topic is the core's topic space, the default exchange reaches the
// core's named queues, other exchanges are this protocol's own.
package amqp091
