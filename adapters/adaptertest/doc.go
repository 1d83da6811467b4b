// Package adaptertest drives rooms without sockets: a loop in memory under
// the simulated clock of testing/synctest ([Test]), connections and datagram
// peers that are plain byte slices ([Conn], [Peer]), a network that loses and
// reorders ([Packet], [Fate]), and the suite that every protocol passes
// ([Run]).
//
// The driver is harder than the real loops: what a room was given is
// overwritten when the call returns, ticks may come late, and calls that only
// the loop's goroutine may make are checked.
package adaptertest
