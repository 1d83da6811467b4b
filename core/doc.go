// Package core is the protocol-neutral middle of the gateway: messages,
// queues, subscriptions, consumers, sessions and the router that joins them.
// It knows no protocol, no socket and no file.
//
// Everything that receives is a [Queue]; every protocol is a way to name one.
// Work is done in turns: a [Turn] is one pass of an event loop, and carries
// what the pass woke and what it must make durable. Delivery is pull after a
// wake-up: core calls [Sink.Ready], the adapter calls [Session.NextReady] and
// [Consumer.Take] for as many deliveries as its window allows.
//
// docs/architecture.md describes how one message travels, the goroutines and
// the order of locks.
package core
