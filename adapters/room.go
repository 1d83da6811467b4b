package adapters

import (
	"net/netip"

	"github.com/entrepot/entrepot/core"
)

// Driven is what a loop drives: a stream connection, or a peer of a datagram
// endpoint.
type Driven interface {
	// Wake follows core.Sink.Ready: take deliveries, answer what became safe,
	// append. When out.Full reports true, stop and set out.More: Wake is
	// called again after the write. While the peer does not read it is not
	// called at all, whatever is ready.
	Wake(t *core.Turn, out *Output)
	// Tick is called at or after the time that Handle.TickAt asked for.
	Tick(t *core.Turn, out *Output)
	// Evict follows core.Sink.Evict: say goodbye in the protocol's own words,
	// detach the session, and call out.CloseAfterFlush.
	Evict(t *core.Turn, r core.Reason, out *Output)
}

// Conn is a room's state machine for one stream connection.
type Conn interface {
	Driven
	// Input is given the bytes that have arrived and are not yet consumed. It
	// parses all complete packets in them, keeps no reference into `in` after
	// it returns, and returns how many bytes it consumed; the rest comes again,
	// with more behind it. A room that finds out full may stop early and set
	// out.More: Input and Wake are called again after the write. After
	// out.CloseAfterFlush nothing more is given. An error closes the connection
	// after what was appended has been flushed; its core.Reason (errors.As) is
	// what the log and the metrics say.
	Input(t *core.Turn, in []byte, out *Output) (consumed int, err error)
	// Close is called once, last, when the transport is gone or the flush after
	// CloseAfterFlush is over. r is what the room gave CloseAfterFlush, or
	// core.ConnectionLost and its like. The room detaches its session if it
	// has not yet. Nothing may be written any more.
	Close(t *core.Turn, r core.Reason)
}

// Direct is an optional part of a Conn: what is delivered with QoS 0 need not
// wait in a queue when nothing waits before it.
type Direct interface {
	// Direct appends a delivery, in the turn of its publisher. Output.Join puts it
	// into its place, where the room is called before it is written. false: it takes the way through its queue, and Wake; nothing
	// was appended. d and its message, with all that it refers to, are lent for
	// the call. It may call nothing of core and nothing of its Handle.
	Direct(t *core.Turn, d *core.Delivery, out *Output) bool
}

// DirectRun is an optional part of a Direct that takes many at once.
type DirectRun interface {
	// DirectRun is Direct for the messages of a run, of which d is the first; Seq
	// grows by one with each. false: nothing was appended, they come one by one.
	DirectRun(t *core.Turn, d *core.Delivery, r *core.Run, out *Output) bool
}

// Endpoint is a room's state machine for one datagram listener. It finds the
// peer from the datagram and keeps its peers' state itself.
type Endpoint interface {
	// Datagram is given one datagram. `in` is valid during the call only.
	Datagram(t *core.Turn, from netip.AddrPort, in []byte, out *Output)
	// Close ends all peers: the listener stops. Farewells may be appended.
	Close(t *core.Turn, r core.Reason, out *Output)
}

// Handle is the loop's side of one Driven. It is the core.Sink that the room
// attaches its session with.
type Handle interface {
	core.Sink
	// TickAt asks for one Tick at the given time or as little as possible (at
	// most 100 ms) after it; never before. The last call counts; 0 cancels.
	// Only from within a call of the loop.
	TickAt(at core.Time)
	// LoggingIn tells the loop that the complete credentials have come: the
	// deadline and the byte allowance of Limits.Preauth* end, and the login
	// has Limits.PreauthExchange from now. Only from within a call of the loop.
	LoggingIn()
	// Authenticated tells the loop that the peer has logged in, anonymously or
	// not: the connection gives its place among the unauthenticated back and
	// counts as one that is. Every stream room must call it, or the connection
	// is closed at the deadline with core.IdleTimeout. A datagram peer is
	// counted from here until Output.CloseAfterFlush or Ended. The first call
	// counts. Only from within a call of the loop.
	Authenticated()
	// Connected tells the loop that the peer has what it came for: its session is
	// there, and it has been told so. It is logged as client.connected, with the
	// Identity of an Identified. The first call counts. Only from within a call
	// of the loop.
	Connected()
	// Ended tells the loop that a datagram peer is gone, and why: its tick is
	// cancelled and it is called no more. Nothing on a stream connection,
	// which ends by Output.CloseAfterFlush. Only from within a call of the loop.
	Ended(r core.Reason)
}

// Loop is what a datagram endpoint gets to make handles for its peers.
type Loop interface {
	// Handle registers a peer. The loop keeps no reference to it beyond the
	// handle's own life. The handle may be core.Addressed: a peer that attaches
	// a session with it is so, too, or the session has no address.
	Handle(d Driven) PeerHandle
}

// PeerHandle is the Handle of a datagram peer, whose room does what a stream's
// loop does by not accepting and not reading. Its methods are called only from
// within a call of the loop.
type PeerHandle interface {
	Handle
	// Enter takes one of the places of Limits.Connections for a peer that has
	// logged in; false: there is none, and the room refuses it with core.Quota
	// and says so (limit.Refused).
	// A peer of an association has its place by that. It is given back by Leave,
	// or with the peer's end.
	Enter() bool
	// Leave gives the place back.
	Leave()
	// Hurries tells that a publish of so many bytes exceeds Limits.PublishRate
	// or PublishBytesRate, and counts it where it does not: the room refuses it
	// with core.RateExceeded.
	Hurries(bytes int) bool
}

// Info describes the transport of one connection.
type Info struct {
	Listener  string         // the listener's name for metrics: its URL without credentials
	Scheme    string         // scheme of the listener's URL: mqtt, mqtts, ws, stomp, ...
	Remote    netip.AddrPort // the peer, after PROXY protocol; zero for Unix sockets
	Local     netip.AddrPort
	WebSocket bool
	TLS       bool
	Subproto  string // WebSocket sub-protocol that was agreed on
	Loopback  bool   // the peer is this machine (Unix sockets too), and no proxy spoke for it
	// Certificate is the client's, verified; nil if it showed none.
	Certificate *Certificate
	Unix        *UnixPeer // of a Unix socket, where the system tells it
}

// ListenerInfo describes a datagram listener.
type ListenerInfo struct {
	Listener string
	Scheme   string
	Local    netip.AddrPort
}

// Room is a protocol. It is also a StreamRoom, a DatagramRoom or both.
type Room interface {
	// Name is the protocol's name in logs, metrics and message origins: mqtt,
	// mqttsn, coap, stomp, amqp.
	Name() string
}

// StreamRoom serves stream transports.
type StreamRoom interface {
	Room
	// Open makes the state machine of a connection that was just accepted.
	// It may ask for a tick at once (login deadline).
	Open(h Handle, info Info, t *core.Turn) Conn
}

// WebSocketRoom says how the protocol rides on WebSocket.
type WebSocketRoom interface {
	StreamRoom
	WebSocket() WebSocketOptions
}

// WebSocketOptions are the rules of one protocol on WebSocket.
type WebSocketOptions struct {
	Paths       []string // request paths, such as /mqtt
	Subprotos   []string // accepted sub-protocols, preferred first
	RequireSub  bool     // refuse (400) when none of them is offered
	Text        bool     // text frames are accepted; answers mirror the client's mode unless they are not UTF-8
	MaxMessage  int      // largest WebSocket message in bytes
	CloseOnText uint16   // close code for a text frame when Text is false (1003)
}

// ALPN is of a stream room whose protocol has a name in TLS (RFC 7301). A
// client that offers names must offer this one; it need not offer any.
type ALPN interface {
	ALPN() string
}

// DatagramRoom serves datagram transports.
type DatagramRoom interface {
	Room
	// Listen makes the state machine of a listener.
	Listen(l Loop, info ListenerInfo) Endpoint
}

// Successor is a room with state that outlives a change of the configuration:
// the exchanges of AMQP.
type Successor interface {
	// Succeed takes over from the room of the same protocol that served so
	// far, which keeps its connections. It is called before the room serves,
	// and may be undone by the same call on the other one.
	Succeed(old Room)
}

// Reconfigurable is an Endpoint that can go on with another room of its
// protocol, keeping its peers.
type Reconfigurable interface {
	// Reconfigure is called by the loop.
	Reconfigure(r DatagramRoom)
}
