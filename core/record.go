package core

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"
)

// The schema of the store. A key is a letter and what follows:
//
//	s <session>          the session: owner, expiry, will, its queue
//	u <session> <filter> one subscription of it
//	w <session> <filter> how far the retained walk of one has come
//	d <session> <key>    one remembered identifier
//	n <queue>            a named queue or a group
//	b <queue> <filter>   one binding of a named queue
//	q <queue> <seq>      an entry: a message, or a reference to one; the highest
//	                     bit of seq is set for a retained message on its way
//	p <queue> <seq>      what a stretch of a long queue's entries sums up to
//	c <queue> <seq>      from where to where entries were given up that nobody has
//	                     looked at yet (pager_clear.go)
//	m <id>               a message that several entries refer to, and which
//	r <namespace> 00 <topic>  a retained message
//	t <id>               a message that waits for its time
//	x <room> 00 <namespace> 00 <key>  a room's note
//	a                    what is kept of the clocks (ages.go)
//
// Identities are 8 octets, big-endian, so that a queue's entries lie in their
// order and one range holds all of a queue.
//
// Two turns may write the same record, and turns are submitted in their own
// order. So the records of what more than one turn may change are written by
// the commit goroutine from what is true at that moment (change.go); those of
// one attachment are ordered because the next one is served when they are
// stored (session.settled).
const (
	keySession      = 's'
	keySubscription = 'u'
	keyWalk         = 'w'
	keySeen         = 'd'
	keyQueue        = 'n'
	keyBinding      = 'b'
	keyEntry        = 'q'
	keyMessage      = 'm'
	keySegment      = 'p'
	keyClearing     = 'c'
	keyRetained     = 'r'
	keyDelayed      = 't'
	keyNote         = 'x'
	keyClock        = 'a'
)

func key1(kind byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, id)
}

func key2(kind byte, id, sub uint64) []byte {
	return binary.BigEndian.AppendUint64(key1(kind, id), sub)
}

func keyText(kind byte, id uint64, s string) []byte { return append(key1(kind, id), s...) }

func retainedKey(ns, topic string) []byte {
	k := append([]byte{keyRetained}, ns...)
	return append(append(k, 0), topic...)
}

func (t *Turn) set(key, value []byte) {
	if w := t.pendingWork(); !t.router.forgets {
		w.batch.Set(key, value)
	}
}

func (t *Turn) delete(key []byte) {
	if w := t.pendingWork(); !t.router.forgets {
		w.batch.Delete(key)
	}
}

// Entries.

const (
	entryRefers = 1 << iota // the message is in a record of its own
	entryRetain
	entryReceived
	entryGiven // by a shared queue, whose identity follows
	entrySized // the size of the message follows the reference to it
)

// logEntry writes the first record of an entry.
func (t *Turn) logEntry(q *Queue, seq uint64, e *entry) {
	w := t.pendingWork()
	if !t.router.forgets {
		w.batch.entry(q, seq, e)
	}
	w.entries = append(w.entries, entryRef{q, e.m, seq})
}

// entry adds the record of an entry. A retained one holds its message: what
// the retained message referred to may be gone.
func (b *Batch) entry(q *Queue, seq uint64, e *entry) {
	refers := seq&laneBit == 0 && e.m.record != nil // of a retained one nobody here may look at it
	origin := q.origin(seq)
	var flags byte
	if refers {
		flags |= entryRefers | entrySized
	}
	if e.retain {
		flags |= entryRetain
	}
	if e.state == received {
		flags |= entryReceived
	}
	if origin != q {
		flags |= entryGiven
	}
	v := []byte{flags, e.qos}
	v = putUint(v, uint64(e.tag))
	if origin != q {
		v = putUint(v, origin.id)
	}
	var ids []uint32
	if e.ids != nil {
		ids = *e.ids
	}
	v = putUint(v, uint64(len(ids)))
	for _, id := range ids {
		v = putUint(v, uint64(id))
	}
	if refers {
		v = putUint(v, e.m.record.id)
		v = putUint(v, uint64(e.m.Size()))
	} else {
		v = appendMessage(v, e.m, &q.ns.r.ages)
	}
	b.Set(key2(keyEntry, q.id, seq), v)
}

func (t *Turn) deleteEntry(q *Queue, seq uint64, m *Message) {
	if !t.router.forgets {
		t.delete(key2(keyEntry, q.id, seq))
	}
	if seq&laneBit == 0 {
		t.releaseMessage(m, holder{q.id, seq})
	}
}

// deleteEntries removes all that a queue which ends has in the store. Where some
// was given up unseen, the pager looks at what there is: it may refer to
// messages.
func (t *Turn) deleteEntries(q *Queue, late unwritten) {
	if t.router.forgets {
		return
	}
	if !q.unseen {
		t.deleteBut(q.id, 0, math.MaxUint64, late)
		return
	}
	t.pendingWork().batch.DeleteRange(key2(keyEntry, q.id, laneBit), key1(keyEntry, q.id+1))
	t.clears(clearing{id: q.id, to: laneBit})
}

// Principals: what their rights are judged by when they are not there.

func putPrincipal(b []byte, p *Principal) []byte {
	b = putText(b, p.User)
	b = putText(b, p.Method)
	b = putText(b, p.ClientID)
	b = putBool(b, p.OwnsID)
	b = putUint(b, uint64(len(p.Roles)))
	for _, role := range p.Roles {
		b = putText(b, role)
	}
	b = putUint(b, uint64(len(p.Attrs)))
	for _, name := range slices.Sorted(maps.Keys(p.Attrs)) {
		b = putText(putText(b, name), p.Attrs[name])
	}
	return b
}

func (r *reader) principal(namespace string) *Principal {
	p := &Principal{Namespace: namespace, User: r.text(), Method: r.text(), ClientID: r.text(), OwnsID: r.bool()}
	for n := r.count(); n > 0 && !r.bad; n-- {
		p.Roles = append(p.Roles, r.text())
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		if p.Attrs == nil {
			p.Attrs = map[string]string{}
		}
		name := r.text()
		p.Attrs[name] = r.text()
	}
	return p
}

// skipPrincipal reads over one.
func (r *reader) skipPrincipal() {
	r.bytes() // User
	r.bytes() // Method
	r.bytes() // ClientID
	r.bool()  // OwnsID
	for n := r.count(); n > 0 && !r.bad; n-- {
		r.bytes()
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		r.bytes()
		r.bytes()
	}
}

// Delayed messages.

func (t *Turn) putDelayed(d *delayed) {
	b := putText(nil, d.ns.name)
	b = t.router.ages.put(b, d.due, d.loaded)
	b = putPrincipal(b, d.principal)
	t.set(key1(keyDelayed, d.id), appendMessage(b, d.m, &t.router.ages))
	w := t.pendingWork()
	w.delayed = append(w.delayed, d)
}

func (r *reader) delayed(id uint64, ns *Namespace) *delayed {
	d := &delayed{ns: ns, id: id}
	d.due, d.loaded = r.time()
	d.principal = r.principal(ns.name)
	d.m = r.message()
	return d
}

// Sessions.

// session adds the record of a session. st.mu is held.
func (b *Batch) session(st *session, sentBelow uint64) {
	v := putText(nil, st.ns.name)
	v = putText(v, st.client)
	v = putPrincipal(v, st.principal.Load())
	v = putUint(v, uint64(st.expiry))
	ages := &st.ns.r.ages
	v = ages.put(v, st.ends, st.loaded)
	v = ages.put(v, st.willAt, st.loaded)
	v = putUint(v, st.inbox.id)
	v = putBool(v, st.inbox.each)
	v = putBool(v, st.inbox.keep)
	v = putUint(v, uint64(st.inbox.spec.Limits.Messages))
	v = putUint(v, uint64(st.inbox.spec.Limits.Bytes))
	v = append(v, byte(st.inbox.spec.Limits.Overflow))
	v = putUint(v, sentBelow)
	v = putBool(v, st.will != nil)
	if w := st.will; w != nil {
		v = putUint(v, uint64(w.Delay))
		v = putUint(v, uint64(w.Expiry))
		v = appendMessage(v, w.Message, ages)
	}
	b.Set(key1(keySession, st.id), v)
}

// noSession removes a session with its subscriptions, walks and identifiers;
// its queue goes with Queue.close.
func (b *Batch) noSession(id uint64) {
	b.Delete(key1(keySession, id))
	for _, kind := range []byte{keySubscription, keyWalk, keySeen} {
		b.DeleteRange(key1(kind, id), key1(kind, id+1))
	}
}

func (t *Turn) putSeen(st *session, key uint64) { t.set(key2(keySeen, st.id, key), nil) }

func (t *Turn) deleteSeen(st *session, key uint64) { t.delete(key2(keySeen, st.id, key)) }

// putWalk notes how far a walk has come: what is before that is in the queue;
// and how many others of the filter follow, if any.
func (t *Turn) putWalk(st *session, l *lane) {
	b := putUint(putText(nil, l.after), l.rev)
	if l.behind > 0 {
		b = putUint(b, uint64(l.behind))
	}
	t.set(keyText(keyWalk, st.id, l.sub.Filter), b)
}

func (t *Turn) deleteWalk(st *session, filter string) {
	t.delete(keyText(keyWalk, st.id, filter))
}

const (
	subNoLocal = 1 << iota
	subRetainAsPublished
	subWide
)

func appendSubscription(b []byte, s Subscription) []byte {
	var flags byte
	if s.NoLocal {
		flags |= subNoLocal
	}
	if s.RetainAsPublished {
		flags |= subRetainAsPublished
	}
	if s.Wide {
		flags |= subWide
	}
	b = append(b, flags, s.QoS, s.RetainHandling)
	return putUint(b, uint64(s.ID))
}

func (r *reader) subscription(filter string) Subscription {
	flags := r.byte()
	return Subscription{
		Filter: filter, NoLocal: flags&subNoLocal != 0, RetainAsPublished: flags&subRetainAsPublished != 0,
		Wide: flags&subWide != 0, QoS: r.byte(), RetainHandling: r.byte(), ID: uint32(r.uint()),
	}
}

// Queues.

// queue adds the record of a named queue or a group. q.mu is held.
func (b *Batch) queue(q *Queue) {
	v := putText(nil, q.ns.name)
	v = append(v, byte(q.kind))
	v = putText(v, q.spec.Name)
	v = putBool(v, q.spec.AutoDelete)
	v = putBool(v, q.spec.DeadLetter)
	v = putBool(v, q.spec.Latest)
	v = putUint(v, uint64(q.spec.Limits.Messages))
	v = putUint(v, uint64(q.spec.Limits.Bytes))
	v = append(v, byte(q.spec.Limits.Overflow))
	v = putUint(v, uint64(q.spec.TTL))
	v = putUint(v, uint64(q.spec.IdleExpiry))
	v = putUint(v, uint64(q.spec.MaxAttempts))
	v = putText(v, q.spec.Args)
	v = putText(v, q.spec.DeadRoom)
	v = putText(v, q.spec.DeadTo)
	v = putBool(v, q.spec.SingleActive)
	v = putBool(v, q.spec.ExpiresFull)
	b.Set(key1(keyQueue, q.id), v)
}

func (b *Batch) noQueue(id uint64) {
	b.Delete(key1(keyQueue, id))
	b.DeleteRange(key1(keyBinding, id), key1(keyBinding, id+1))
}

func (r *reader) queue(id uint64, ns *Namespace) *Queue {
	q := ns.newQueue(r.queueSpec())
	q.id = id
	return q
}

func (r *reader) queueSpec() (queueKind, QueueSpec) {
	kind := queueKind(r.byte())
	spec := QueueSpec{Name: r.text(), Durable: true, AutoDelete: r.bool(), DeadLetter: r.bool(), Latest: r.bool()}
	spec.Limits = QueueLimits{Messages: int(r.uint()), Bytes: int64(r.uint()), Overflow: Overflow(r.byte())}
	spec.TTL, spec.IdleExpiry = time.Duration(r.uint()), time.Duration(r.uint())
	spec.MaxAttempts = int(r.uint())
	spec.Args = r.text()
	spec.DeadRoom, spec.DeadTo, spec.SingleActive = r.text(), r.text(), r.bool()
	if spec.ExpiresFull = spec.IdleExpiry > 0 && spec.Args != ""; len(r.b) > 0 { // an earlier release did not say
		spec.ExpiresFull = r.bool()
	}
	return kind, spec
}
