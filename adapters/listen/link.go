package listen

import (
	"sync/atomic"

	"github.com/entrepot/entrepot/core"
)

// What is posted to a link. The reason of an eviction is in the second byte.
const (
	bitQueued   = 1 << iota // it is in the mailbox or the dirty list
	bitReady                // core.Sink.Ready
	bitEvict                // core.Sink.Evict
	bitChunk                // pump: input was read
	bitDrained              // pump: output was written
	bitEnd                  // pump: the transport ended
	bitCaughtUp             // pump: what the peer had sent before a takeover was read
	bitEarly                // what Direct has appended is to be written
	reasonShift = 8
)

// owner is what a link belongs to. The methods are called by the loop.
type owner interface {
	attend(bits uint32)
	expire(now core.Time)
	transport // of a stream; others are noStream
}

// noStream is embedded by owners that are no streams.
type noStream struct{}

func (noStream) write([]byte) error { return nil }
func (noStream) waiting() int       { return 0 }
func (noStream) reading(bool)       {}
func (noStream) finish(core.Reason) {}
func (noStream) loggingIn()         {}
func (noStream) release()           {}

// link is what another goroutine, core and the timer wheel know of a
// connection or a peer.
type link struct {
	loop *loop // Immutable.
	own  owner // Immutable.

	state atomic.Uint32
	was   peerState // Owned by the loop. It is here because it takes no room here.
	next  *link     // in the mailbox; belongs to who set bitQueued

	// Owned by the loop.
	prevTimer, nextTimer *link
	slot                 int64 // of the wheel; 0: not armed
	tick                 core.Time
}

// Ready marks the link. On its own loop it joins the dirty list, from
// anywhere else the mailbox.
func (k *link) Ready(t *core.Turn) {
	if k.state.Load()&(bitReady|bitQueued) == bitReady|bitQueued {
		return
	}
	if k.state.Or(bitReady|bitQueued)&bitQueued != 0 {
		return
	}
	if t != nil && t.Owner == any(k.loop) {
		k.loop.dirty = append(k.loop.dirty, k)
		return
	}
	k.loop.mail.push(k)
	t.KickAtEnd(k.loop)
}

// Evict posts an eviction; the first reason counts.
func (k *link) Evict(r core.Reason) {
	for {
		old := k.state.Load()
		if old&bitEvict != 0 {
			return
		}
		if !k.state.CompareAndSwap(old, old|bitEvict|bitQueued|uint32(r)<<reasonShift) {
			continue
		}
		if old&bitQueued == 0 {
			k.loop.mail.push(k)
		}
		k.loop.Kick()
		return
	}
}

// post marks the link from a goroutine of its transport.
func (k *link) post(bit uint32) {
	if k.state.Or(bit|bitQueued)&bitQueued == 0 {
		k.loop.mail.push(k)
	}
	k.loop.Kick()
}

// again puts the link into the dirty list of its own loop, to be woken.
func (k *link) again() { k.mark(bitReady) }

// mark is post for its own loop.
func (k *link) mark(bit uint32) {
	if k.state.Load()&(bit|bitQueued) == bit|bitQueued {
		return
	}
	if k.state.Or(bit|bitQueued)&bitQueued == 0 {
		k.loop.dirty = append(k.loop.dirty, k)
	}
}

// TickAt asks for a tick.
func (k *link) TickAt(at core.Time) {
	k.tick = at
	k.loop.wheel.arm(k, at)
}

// mailbox is a stack that any goroutine pushes to and the loop empties.
type mailbox struct{ head atomic.Pointer[link] }

func (m *mailbox) push(k *link) {
	for {
		old := m.head.Load()
		k.next = old
		if m.head.CompareAndSwap(old, k) {
			return
		}
	}
}

func (m *mailbox) empty() bool { return m.head.Load() == nil }

// drain appends what was pushed, oldest first.
func (m *mailbox) drain(into []*link) []*link {
	if m.empty() {
		return into
	}
	var oldest *link
	for k := m.head.Swap(nil); k != nil; {
		next := k.next
		k.next, oldest = oldest, k
		k = next
	}
	for k := oldest; k != nil; {
		next := k.next
		k.next = nil
		into = append(into, k)
		k = next
	}
	return into
}
