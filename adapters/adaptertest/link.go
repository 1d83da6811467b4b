package adaptertest

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

type op uint8

const (
	opWake op = iota
	opTick
	opEvict
)

// link is the driver's adapters.Handle.
type link struct {
	d      *Driver
	driven adapters.Driven
	conn   *Conn     // nil for the peer of a datagram room
	ep     *endpoint // nil for a stream
	tick   core.Time
	limit  core.Time // deadline of the loop: login
	auth   bool
	known  bool // Connected was called
	placed bool // Enter found a place
	dead   bool
	reason core.Reason     // of a datagram peer's end
	early  adapters.Output // what Direct has appended

	published limit.Bucket

	queued bool        // Guarded by d.mu.
	ready  bool        // Guarded by d.mu.
	evict  core.Reason // Guarded by d.mu.
}

var _ adapters.PeerHandle = (*link)(nil)

func (d *Driver) newLink() *link {
	k := &link{d: d}
	d.links = append(d.links, k)
	return k
}

func (k *link) Ready(*core.Turn) { k.post(true, core.OK) }

func (k *link) Evict(r core.Reason) { k.post(false, r) }

func (k *link) post(ready bool, evict core.Reason) {
	k.d.mu.Lock()
	defer k.d.mu.Unlock()
	k.ready = k.ready || ready
	if k.evict == core.OK {
		k.evict = evict
	}
	if !k.queued {
		k.queued = true
		k.d.dirty = append(k.d.dirty, k)
	}
}

func (k *link) TickAt(at core.Time) {
	k.check("TickAt")
	k.tick = at
}

func (k *link) LoggingIn() {
	k.check("LoggingIn")
	if k.limit != 0 {
		k.limit = k.d.turn.Now.After(k.d.Host.Limits.PreauthExchange)
	}
	if k.conn != nil {
		k.conn.bounded = false
	}
}

func (k *link) Authenticated() {
	k.check("Authenticated")
	k.auth, k.limit = true, 0
	if k.conn != nil {
		k.conn.bounded = false
	}
}

// Enter counts the driver's peers by Limits.Connections.
func (k *link) Enter() bool {
	k.check("Enter")
	n := 0
	for _, x := range k.d.links {
		if x.placed && !x.dead {
			n++
		}
	}
	k.placed = k.placed || n < k.d.Host.Limits.Connections
	return k.placed
}

func (k *link) Leave() {
	k.check("Leave")
	k.placed = false
}

// Hurries holds Limits.PublishRate, whose burst is a second's.
func (k *link) Hurries(int) bool {
	k.check("Hurries")
	rate := k.d.Host.Limits.PublishRate
	return rate > 0 && !k.published.Take(k.d.turn.Now, 1, rate, rate)
}

func (k *link) Connected() {
	k.check("Connected")
	if !k.auth {
		k.d.tb.Error("Handle.Connected was called before Authenticated")
	}
	k.known = true
}

func (k *link) Ended(r core.Reason) {
	k.check("Ended")
	if k.conn == nil {
		k.dead, k.tick, k.reason = true, 0, r
	}
}

func (k *link) check(what string) {
	if !k.d.inCall {
		k.d.tb.Errorf("Handle.%s was called from outside of the loop's calls", what)
	}
}

// deliver hands over an eviction or a wake-up that was posted.
func (k *link) deliver() {
	k.d.mu.Lock()
	ready, evict := k.ready, k.evict
	k.queued, k.ready, k.evict = false, false, core.OK
	k.d.mu.Unlock()
	switch {
	case k.dead || k.driven == nil && !ready && evict == core.OK:
	case evict != core.OK:
		k.drive(opEvict, evict)
	case k.conn != nil && k.conn.held():
		k.conn.wakeDue = true
	case ready:
		k.drive(opWake, core.OK)
	}
}

// drive makes one call and sends what came of it.
func (k *link) drive(o op, r core.Reason) {
	for {
		out := k.d.begin(k)
		switch o {
		case opWake:
			k.driven.Wake(k.d.turn, out)
		case opTick:
			out.Held = k.conn != nil && k.conn.held()
			k.driven.Tick(k.d.turn, out)
		case opEvict:
			out.Join()
			k.driven.Evict(k.d.turn, r, out)
		}
		k.d.inCall = false
		more := out.More
		k.flush(out, o == opEvict)
		if !more || k.dead {
			return
		}
		if k.conn != nil && k.conn.held() {
			k.conn.wakeDue = true
			return
		}
		o = opWake
	}
}

func (k *link) flush(out *adapters.Output, evicted bool) {
	if k.conn != nil {
		k.conn.flush(out, evicted)
		return
	}
	k.ep.flush(out)
	if r, closing := out.Closing(); closing {
		k.dead, k.tick, k.reason = true, 0, r
	}
}

// begin makes the output ready for one call of a room, on behalf of a stream or
// of none.
func (d *Driver) begin(k *link) *adapters.Output {
	d.out.Reset()
	if d.filling = k; k != nil {
		d.out.Early(&k.early)
	}
	d.inCall = true
	return &d.out
}

// scribble overwrites memory that a room may not have kept.
func scribble(b []byte) {
	for i := range b {
		b[i] = 0xA5
	}
}
