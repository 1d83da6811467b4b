package adapters

import (
	"iter"
	"net/netip"
	"time"
)

// Connection is one that is open, as an operator is told of it.
type Connection struct {
	Name       string // tells it from all others of its room that are open
	Given      string // the name that the client gave it; "" for none
	User       string // who has logged in; of somebody anonymous the name that it gave
	Namespace  string
	Protocol   string // with its version
	Mechanism  string // of the login
	State      string // running, blocked or closing
	Remote     netip.AddrPort
	Local      netip.AddrPort
	TLS        bool
	Since      time.Time
	Channels   int
	ChannelMax int
	FrameMax   int           // bytes
	Heartbeat  time.Duration // 0: none
	Properties []byte        // what the client said of itself, a JSON object
}

// Lister is an optional part of a Room: it tells operators who is connected, and
// ends connections for them. Its methods may be called by any goroutine, and hold
// up no loop for longer than one connection's coming does.
type Lister interface {
	// Connections are those that are open, by their names.
	Connections() iter.Seq[Connection]
	// Connection is the one of that name.
	Connection(name string) (Connection, bool)
	// Disconnect ends the one of that name as core.Kicked, soon; why is told to its
	// client, "" for nothing particular. false: there is none.
	Disconnect(name, why string) bool
}
