package adapters

import "github.com/entrepot/entrepot/core"

// RefusingRoom is a StreamRoom that can tell a peer why it is not let in.
type RefusingRoom interface {
	StreamRoom
	// OpenRefused is Open for a connection that a limit refuses: the room reads
	// the peer's opening words, answers them with r and ends the connection. It
	// logs nobody in and touches no session.
	OpenRefused(h Handle, info Info, r core.Reason, t *core.Turn) Conn
}
