// Package exchange is what the AMQP versions share below their listeners:
// exchanges and their bindings to queues, the mapping of basic properties to
// the core's message and back, and the envelope that keeps what an AMQP
// receiver is to get unchanged.
//
// amq.topic and the default exchange are not here: the first is the core's
// topic space, the second its named queues.
package exchange
