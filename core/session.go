package core

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// session is a client's lasting identity. Session is one attachment of it.
// There are two for each client that is connected, so what few need is behind
// pointers that are nil until then.
type session struct {
	// Immutable.
	ns     *Namespace
	id     uint64
	client string // identifier; "": nobody can resume it

	principal atomic.Pointer[Principal] // of the attachment served last; its user never changes

	// Immutable once the first attachment is served.
	spec      *QueueSpec // of the own queue
	begun     bool       // it was served
	transient bool
	durable   bool // it has, or will have, a record in the store
	each      bool // Client.Each, of the first attachment
	keep      bool // Client.KeepQoS0

	counted bool // for its user. Guarded by ns.mu.

	// Guarded by mu.
	ended   bool
	mu      sync.Mutex
	inbox   *Queue   // the own queue; made by the attachment's goroutine when there is a use for it
	subs    filters  // of the own queue
	text    int      // bytes of the filters of subs and shared
	current *Session // the attachment that is served
	will    *Will
	*lasting
	extra *sessionExtra
}

// lasting is what a session has that outlives its connection, or did. Guarded
// by session.mu.
type lasting struct {
	expiry time.Duration
	ends   Time  // when it is away: the instant of its end; 0: never
	willAt Time  // the will is due then, while the client is away; 0: not scheduled
	alarm  alarm // for the will and the end; its waker is nil until one is needed
	unsafe int   // ends of attachments whose turns are not in the store yet
	loaded bool  // ends and willAt may have to be made earlier (ages)
}

// sessionExtra is what few sessions have. Guarded by session.mu.
type sessionExtra struct {
	shared map[string]*Consumer // "$share/..." and "$queue/..." by the text subscribed with
	seen   map[uint64]struct{}
	next   *Session // waits until current has detached
	brings *Client  // what next did; nil: nobody waits
}

// key is the session's place in its namespace.
func (st *session) key() sessionKey { return sessionKey{st.principal.Load().User, st.client} }

// setExpiry says how long the session outlives its connection. st.mu is held.
func (st *session) setExpiry(d time.Duration) {
	if st.lasting == nil {
		if d == 0 {
			return
		}
		st.lasting = new(lasting)
	}
	st.expiry = d
}

// outlives is how long the session outlives its connection. st.mu is held.
func (st *session) outlives() time.Duration {
	if st.lasting == nil {
		return 0
	}
	return st.expiry
}

// more is the session's extra, made if it has none. st.mu is held.
func (st *session) more() *sessionExtra {
	if st.extra == nil {
		st.extra = new(sessionExtra)
	}
	return st.extra
}

// shared are the memberships. st.mu is held.
func (st *session) shared() map[string]*Consumer {
	if st.extra == nil {
		return nil
	}
	return st.extra.shared
}

// share adds a membership. st.mu is held.
func (st *session) share(c *Consumer) {
	x := st.more()
	if x.shared == nil {
		x.shared = map[string]*Consumer{}
	}
	x.shared[c.filter] = c
}

// seen are the identifiers that are remembered. st.mu is held.
func (st *session) seen() map[uint64]struct{} {
	if st.extra == nil {
		return nil
	}
	return st.extra.seen
}

// remember adds an identifier. st.mu is held.
func (st *session) remember(key uint64) {
	x := st.more()
	if x.seen == nil {
		x.seen = map[uint64]struct{}{}
	}
	x.seen[key] = struct{}{}
}

// next is the attachment that waits until current has detached, and what it
// brought; nil: none. st.mu is held.
func (st *session) next() (*Session, *Client) {
	if st.extra == nil {
		return nil, nil
	}
	return st.extra.next, st.extra.brings
}

// setNext replaces it. st.mu is held.
func (st *session) setNext(s *Session, brings *Client) {
	if s != nil || st.extra != nil {
		x := st.more()
		x.next, x.brings = s, brings
	}
}

// Session is one attachment of a client to its session: what a connection
// holds. Its methods are called by the goroutine that drives the connection,
// except where they say otherwise. There is one for each that is connected, so
// what few need is behind a pointer that is nil until then.
type Session struct {
	// Immutable.
	ns       *Namespace
	sink     Sink
	protocol uint8 // Router.protocols has its name

	present  bool // Guarded by ns.mu until the attachment is served, then immutable.
	detached bool // Owned by the connection's goroutine.
	state    atomic.Uint32
	attachAt atomic.Uint64 // the attachment's record is safe when the watermark reaches it

	// Guarded by ns.mu until the attachment is served; then st is immutable and
	// inbox the connection's goroutine's.
	st    *session
	inbox *Consumer // nil: no queue yet

	// Owned by the connection's goroutine.
	principal *Principal // that it attached with, or that of a later login
	match     *Match     // of the last Route
	extra     *extra
	seq       uint64
	pending   uint64 // highest seq that was submitted

	safe atomic.Uint64
	rare atomic.Pointer[rare]

	readyMu sync.Mutex
	ready   *Consumer // the first of those that are owed a Take; the others are in rare
}

// The bits of Session.state.
const (
	bitServed = 1 << iota // st and present are set; the previous attachment is gone
	bitFenced             // what an earlier attachment did last is not in the store yet
	bitHeld               // a retained walk waits for the watermark
)

func (s *Session) isServed() bool { return s.state.Load()&bitServed != 0 }

// clear clears a bit, and tells whether it was set.
func (s *Session) clear(bit uint32) bool { return s.state.And(^bit)&bit != 0 }

// rare is what few attachments have and other goroutines look at.
type rare struct {
	addr   string // of a peer whose sink does not know it. Immutable.
	failed atomic.Pointer[[]seqRange]
	behind *consumerList // of ready. Guarded by readyMu; nil until there were some.
}

// some is the session's rare, made if it has none.
func (s *Session) some() *rare {
	x := s.rare.Load()
	for x == nil {
		s.rare.CompareAndSwap(nil, new(rare))
		x = s.rare.Load()
	}
	return x
}

// extra is what few attachments have. Owned by the connection's goroutine.
type extra struct {
	consumers []*Consumer
	exclusive []*Queue      // named queues that end with the connection
	denied    []verdict     // subscriptions that ended with the attachment
	idleQueue time.Duration // Client.IdleQueue
	scanned   *scanned      // by ScanRetained
	may       *decisions    // nil until a right to publish is asked for
	rates     *rates        // nil until somebody has one
}

// more is the session's extra, made if it has none.
func (s *Session) more() *extra {
	if s.extra == nil {
		s.extra = new(extra)
	}
	return s.extra
}

// consumers are those that end with the connection.
func (s *Session) consumers() []*Consumer {
	if s.extra == nil {
		return nil
	}
	return s.extra.consumers
}

// denied are the subscriptions that ended with the attachment.
func (s *Session) denied() []verdict {
	if s.extra == nil {
		return nil
	}
	return s.extra.denied
}

type seqRange struct{ from, to uint64 }

// State tells whether the attachment is complete: the previous one is gone
// and what must be durable is. While it is neither attached nor failed, the
// sink is told when that changes.
func (s *Session) State() (attached bool, failed Reason) {
	state := s.state.Load()
	if state&bitServed == 0 {
		return false, OK
	}
	at := s.attachAt.Load()
	if s.safe.Load() < at || state&bitFenced != 0 {
		return false, OK
	}
	if at != 0 && s.Failed(at) {
		return false, Unavailable
	}
	return true, OK
}

// Present tells that the session existed before, with its state.
func (s *Session) Present() bool { return s.present }

// ClientID is the client identifier that the session belongs to.
func (s *Session) ClientID() string {
	if !s.isServed() { // it may be given a fresh session
		s.ns.mu.Lock()
		defer s.ns.mu.Unlock()
	}
	return s.st.client
}

// Addr is the address that the attachment came from, as logs show it.
func (s *Session) Addr() string {
	if a, ok := s.sink.(Addressed); ok {
		return a.PeerAddr()
	}
	if x := s.rare.Load(); x != nil {
		return x.addr
	}
	return ""
}

// Protocol is the name of the protocol that the client speaks.
func (s *Session) Protocol() string { return s.ns.r.protocols.name(s.protocol) }

// Principal is who is attached.
func (s *Session) Principal() *Principal { return s.principal }

// Allows asks the authorizer about an action of whoever is attached.
func (s *Session) Allows(a Action, name string) bool {
	return s.ns.r.allows(s.principal, a, name)
}

// Namespace is the name of the namespace that the session lives in.
func (s *Session) Namespace() string { return s.ns.name }

// Durable tells that the session outlives its connection.
func (s *Session) Durable() bool { return s.st.durable }

// Safe is the watermark: everything this attachment submitted up to it is
// either durable or has failed.
func (s *Session) Safe() uint64 { return s.safe.Load() }

// Failed tells that what was submitted as seq could not be written.
func (s *Session) Failed(seq uint64) bool {
	x := s.rare.Load()
	if x == nil {
		return false
	}
	ranges := x.failed.Load()
	if ranges == nil {
		return false
	}
	for _, x := range *ranges {
		if seq >= x.from && seq <= x.to {
			return true
		}
	}
	return false
}

// advance numbers one more thing that the client waits for. Once something is
// pending, what follows waits behind it in the same way, so that answers
// leave in order.
func (s *Session) advance(t *Turn, durable bool) (seq uint64, pending bool) {
	s.seq++
	if durable || s.safe.Load() < s.pending {
		t.mark(s, s.seq, durable)
		s.pending = s.seq
		return s.seq, true
	}
	return s.seq, false
}

// Barrier makes all that the turn has done so far durable, the end of messages
// too, which nobody waits for otherwise. Answer when Safe reaches seq.
func (s *Session) Barrier(t *Turn) (seq uint64, pending bool) { return s.advance(t, true) }

// settleMarks raises the watermark; called by the commit loop.
func (s *Session) settleMark(t *Turn, from, to uint64, err error) {
	if err != nil {
		var ranges []seqRange
		x := s.some()
		if old := x.failed.Load(); old != nil {
			ranges = append(ranges, *old...)
		}
		ranges = append(ranges, seqRange{from, to})
		x.failed.Store(&ranges)
	}
	s.safe.Store(to)
	if s.clear(bitHeld) {
		s.st.inbox.resumeWalk(t)
	}
	s.sink.Ready(t)
}

// Inbox is the consumer of the session's own queue, nil while there was no use
// for one: who has subscribed to nothing has no queue.
func (s *Session) Inbox() *Consumer { return s.inbox }

func (s *Session) forgetConsumer(c *Consumer) {
	all := s.consumers()
	if i := slices.Index(all, c); i >= 0 {
		s.extra.consumers = slices.Delete(all, i, i+1)
	}
}

// Remember keeps the identifier of something received that must not be
// processed twice (QoS 2, [MQTT-4.3.3-10]), as durable as the session. Call
// it in the turn that publishes.
func (s *Session) Remember(t *Turn, key uint64) (seq uint64, pending bool) {
	st := s.st
	st.mu.Lock()
	st.remember(key)
	durable := st.durable
	if durable {
		t.putSeen(st, key)
	}
	st.mu.Unlock()
	return s.advance(t, durable)
}

// Seen tells whether the identifier is remembered.
func (s *Session) Seen(key uint64) bool {
	s.st.mu.Lock()
	defer s.st.mu.Unlock()
	_, ok := s.st.seen()[key]
	return ok
}

// Forget ends what Remember began. The answer to the client waits until it is
// safe: a crash would otherwise take the next message of that identifier for
// a duplicate.
func (s *Session) Forget(t *Turn, key uint64) (seq uint64, pending bool) {
	st := s.st
	st.mu.Lock()
	_, had := st.seen()[key]
	delete(st.seen(), key)
	durable := st.durable && had
	if durable {
		t.deleteSeen(st, key)
	}
	st.mu.Unlock()
	return s.advance(t, durable)
}
