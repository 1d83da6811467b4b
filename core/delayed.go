package core

import (
	"container/heap"
	"strings"
	"sync"
	"time"
)

// delayed is a message that waits for its time. It is stored before it is
// scheduled, so that its end never overtakes its record.
type delayed struct {
	ns        *Namespace
	principal *Principal
	m         *Message
	due       Time
	id        uint64 // ascends in the order of entry
	loaded    bool   // when it is due may have to be made earlier (ages)
}

// schedule holds a namespace's delayed messages. However many wait, one alarm
// is set, for the earliest.
type schedule struct {
	mu    sync.Mutex
	heap  delayedHeap
	count int // those whose record is not written yet included
	bytes int64
}

// dueSlice is how many delayed messages one turn publishes, so that other
// timers, and the receivers, come between.
const dueSlice = 256

// PublishLater publishes m after a time, never before: with the rights of now
// and of then, as if it had come then. With pending, answer when Safe reaches
// seq: the message is stored, also over a restart. Quota: the namespace holds
// most such messages already, or too many bytes of them.
func (s *Session) PublishLater(t *Turn, m *Message, after time.Duration, most int) (seq uint64, pending bool, reason Reason) {
	r := s.ns.r
	d := &delayed{ns: s.ns, principal: s.principal, m: m}
	m.From = s.st.id
	if reason = r.mayPublish(d.principal, m); reason != OK {
		return 0, false, reason
	}
	if r.hook != nil {
		if reason = r.hook.OnPublish(t, d.principal, m); reason != OK {
			return 0, false, reason
		}
	}
	if reason = t.holdsBack(true); reason == OK && m.QoS > 0 {
		reason = r.unwritable()
	}
	if reason != OK {
		return 0, false, reason
	}
	if queue, ok := strings.CutPrefix(m.Topic, queuePrefix); ok {
		if _, reason = s.ns.queueFor(t, d.principal, queue); reason != OK {
			return 0, false, reason
		}
	}
	if !s.ns.delayed.reserve(m, most, s.ns.limits().QueueBytes) {
		return 0, false, s.ns.over(LimitQueueBytes)
	}
	d.id, d.due = r.newID(), r.clock.After(after)
	t.putDelayed(d)
	seq, pending = s.advance(t, m.QoS > 0)
	return seq, pending, OK
}

// mayPublish asks for what a publish without a route asks for.
func (r *Router) mayPublish(p *Principal, m *Message) Reason {
	if reason := r.checkTopic(m.Topic); reason != OK {
		return reason
	}
	if reserved(m.Topic) || !r.allows(p, ActionPublish, m.Topic) {
		r.denied(p, p.ClientID, ActionPublish, m.Topic)
		return NotAuthorized
	}
	if m.Retain && !r.permits(p, p.ClientID, ActionRetain, m.Topic) {
		return NotAuthorized
	}
	return OK
}

func (x *schedule) reserve(m *Message, most int, mostBytes int64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	size := int64(m.Size())
	if x.count >= most || (x.count > 0 && x.bytes+size > mostBytes) {
		return false
	}
	x.count++
	x.bytes += size
	return true
}

func (x *schedule) release(m *Message) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.count--
	x.bytes -= int64(m.Size())
}

func (x *schedule) size() (count int, bytes int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.count, x.bytes
}

// wait schedules a message whose record is written.
func (d *delayed) wait() {
	x := &d.ns.delayed
	x.mu.Lock()
	heap.Push(&x.heap, d)
	x.mu.Unlock()
	d.ns.r.timers.sooner(d.ns.delayedAlarm, d.due)
}

// publishDue publishes what is due, in the order of time, then of entry. At
// our own stop nothing more is sent: it is due at the next start.
func (ns *Namespace) publishDue(t *Turn) {
	if ns.r.stopping.Load() {
		return
	}
	x := &ns.delayed
	var due []*delayed
	x.mu.Lock()
	for len(due) < dueSlice && len(x.heap) > 0 && x.heap[0].due <= t.Now {
		due = append(due, heap.Pop(&x.heap).(*delayed))
	}
	at := Time(0)
	if len(x.heap) > 0 {
		at = x.heap[0].due
	}
	x.mu.Unlock()
	for _, d := range due {
		d.publish(t)
		x.release(d.m)
	}
	if at != 0 {
		ns.r.timers.sooner(ns.delayedAlarm, at) // at once when there is more
	}
}

// publish ends a delayed message: the record goes with the same write that
// stores it where it leads to.
func (d *delayed) publish(t *Turn) {
	r := d.ns.r
	switch {
	case d.m.Expired(t.Now):
		r.drop(DropExpired)
	case r.mayPublish(d.principal, d.m) != OK:
		r.drop(DropDenied)
	default:
		if d.send(t) == Unavailable {
			return // its record stays: it is sent after the next start
		}
	}
	t.delete(key1(keyDelayed, d.id))
	if d.m.QoS > 0 {
		t.sync() // a crash that comes later does not send it again
	}
}

func (d *delayed) send(t *Turn) Reason {
	if queue, ok := strings.CutPrefix(d.m.Topic, queuePrefix); ok {
		if _, reason := d.ns.queueFor(t, d.principal, queue); reason == NotAuthorized {
			d.ns.r.drop(DropDenied)
			return reason
		}
	}
	reason := d.ns.rolesRetain(d.principal, d.m)
	if reason == OK {
		reason = d.ns.publish(t, d.m, owner(d.principal))
	}
	if reason == Quota { // of retained messages
		d.ns.r.drop(DropQueueFull)
	}
	return reason
}

type delayedHeap []*delayed

func (h delayedHeap) Len() int { return len(h) }
func (h delayedHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].id < h[j].id
}
func (h delayedHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *delayedHeap) Push(x any)   { *h = append(*h, x.(*delayed)) }
func (h *delayedHeap) Pop() any {
	old := *h
	n := len(old) - 1
	x := old[n]
	old[n] = nil
	if *h = old[:n]; n == 0 {
		*h = nil // what a burst took is given back
	}
	return x
}
