// Package listen owns the sockets and the loops that drive the rooms
// (package adapters; docs/architecture.md describes goroutines and locks).
//
// A loop is one goroutine with one core.Turn. It alone calls the rooms of its
// connections, so they need no locks. In each pass it reads what has arrived,
// lets the rooms parse all of it, wakes the connections that core marked,
// writes, and ends the turn. One output buffer and one input buffer serve all
// connections of a loop; a connection owns bytes only when its input is torn
// or its peer does not read.
//
// On Linux, TCP and Unix sockets are raw descriptors in the loop's epoll
// (raw_linux.go), those behind a proxy after their header (proxy.go). TLS, WebSocket and other systems have a goroutine that reads
// and hands each chunk to the loop, and one on demand that writes (pump.go).
// A datagram listener has a goroutine that reads (datagram.go).
package listen
