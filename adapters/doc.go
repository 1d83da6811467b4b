// Package adapters is the contract between the loops that own sockets
// (adapters/listen) and the protocol rooms.
//
// A room does no I/O: its connection is a state machine that is given bytes,
// wake-ups and time, and appends bytes to an output. One goroutine at a time
// calls it, so that it needs no locks; it starts no goroutine and owns no
// timer. The same room runs on every transport, and in tests under a
// simulated clock and network (adapters/adaptertest).
package adapters
