package core

import (
	"sync/atomic"
	"time"
)

// Principal is who somebody is: the result of a login, immutable and shared.
// Every protocol produces the same type.
type Principal struct {
	Namespace string   // whose topics, queues and sessions it sees; "" is the default namespace
	Choice    []string // namespaces that it may ask for instead, by AMQP's vhost or STOMP's host; none: Namespace alone
	User      string
	Roles     []string
	Attrs     map[string]string // what else the backend says of it
	ClientID  string            // that it logged in with
	OwnsID    bool              // the client identifier is one of those that the user is limited to, and so more than a claim
	Method    string            // anonymous, password, cert, psk, ...
	Expires   time.Time         // end of the login; zero: none

	Grant atomic.Value // the authorizer's own: what it worked out for this principal
}

// Forever is a session expiry without end.
const Forever = time.Duration(1<<63 - 1)

// Client is what a connection brings to Attach.
type Client struct {
	ID        string     // client identifier; "" makes a transient session that nobody can resume
	Principal *Principal // nil: anonymous in the default namespace
	Protocol  string     // name of the protocol, for logs and listings
	Addr      string     // address of the peer, for listings
	Clean     bool       // end a session that exists, start afresh
	Expiry    time.Duration
	Will      *Will
	Queue     QueueLimits   // limits of the session's own queue; zero fields: the router's defaults
	IdleQueue time.Duration // how long a queue that a "$queue/" subscription makes stays when it is empty and unused; 0: 24 h
	KeepQoS0  bool          // queue QoS 0 while the client is away
	Each      bool          // overlapping subscriptions make a copy each instead of one
}

// Will is a message that is published when the connection ends otherwise
// than by the client's wish.
type Will struct {
	Message *Message
	Delay   time.Duration // capped by the session's expiry
	Expiry  time.Duration // of the message, counted from its publication; 0: never expires
}

// Sink is the connection side of a session. Neither method may block, and
// neither is called under a lock of core. t is nil outside of any turn.
type Sink interface {
	// Ready says that NextReady has something, or that the watermark or the
	// state of the attachment moved. Several calls may be merged into one.
	Ready(t *Turn)
	// Evict asks the connection to end; it answers with Session.Detach.
	Evict(r Reason)
}

// Addressed is a Sink that knows the address of its peer, as logs show it. It
// never changes, and any goroutine may ask for it. Optional: core then keeps no
// copy of Client.Addr.
type Addressed interface{ PeerAddr() string }

// Action is what an Authorizer is asked about.
type Action uint8

// The actions.
const (
	ActionPublish   Action = iota // publish to the topic
	ActionRetain                  // set, replace or clear a retained message
	ActionSubscribe               // subscribe to the filter
	ActionShare                   // consume in competition on the filter
	ActionDeliver                 // receive a message of the topic
	ActionWill                    // have a will on the topic
	ActionQueue                   // declare, bind, purge, delete the queue of that name
	ActionCount     = iota        // how many there are
)

// Authorizer decides what a principal may do. It must not block and must be
// safe for concurrent use.
type Authorizer interface {
	Authorize(p *Principal, a Action, topic string) bool
}

// PublishHook sees every message that is accepted, before it is routed. It
// may not change the message; a Reason other than OK refuses it.
type PublishHook interface {
	OnPublish(t *Turn, p *Principal, m *Message) Reason
}
