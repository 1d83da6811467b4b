package adapters

// RedirectingRoom is a StreamRoom that can tell its clients to use another
// server.
type RedirectingRoom interface {
	StreamRoom
	// Redirect begins, or ends, to refuse newcomers with core.Moved. It returns
	// how many of the connected are to be moved a second; 0: the room knows no
	// other server, refuses nobody and moves nobody. Safe for concurrent use.
	Redirect(on bool) (rate int)
}

// Movable is a Conn of a RedirectingRoom.
type Movable interface {
	// Moves reports whether the connection is of that room, and one that
	// Evict(core.Moved) is meant for: not yet ended, not exempt.
	Moves(room RedirectingRoom) bool
}
