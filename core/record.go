package core

import (
	"encoding/binary"
	"time"
)

// The schema of the store. A key is a letter and what follows:
//
//	s <session>          the session: owner, expiry, will, its queue
//	u <session> <filter> one subscription of it
//	d <session> <key>    one remembered identifier
//	n <queue>            a named queue or a group
//	b <queue> <filter>   one binding of a named queue
//	q <queue> <seq>      an entry: a message, or a reference to one
//	m <id>               a message that several entries refer to
//	r <namespace> 00 <topic>  a retained message
//	t <id>               a message that waits for its time
//	x <room> 00 <namespace> 00 <key>  a room's note
//
// Identities are 8 octets, big-endian, so that a queue's entries lie in their
// order and one range holds all of a queue.
const (
	keySession      = 's'
	keySubscription = 'u'
	keySeen         = 'd'
	keyQueue        = 'n'
	keyBinding      = 'b'
	keyEntry        = 'q'
	keyMessage      = 'm'
	keyRetained     = 'r'
	keyDelayed      = 't'
	keyNote         = 'x'
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

func (t *Turn) set(key, value []byte) { t.pendingWork().batch.Set(key, value) }

func (t *Turn) delete(key []byte) { t.pendingWork().batch.Delete(key) }

// Entries.

const (
	entryRefers = 1 << iota // the message is in a record of its own
	entryRetain
	entryReceived
)

// logEntry writes the first record of an entry.
func (t *Turn) logEntry(q *Queue, seq uint64, e *entry) {
	t.putEntry(q, seq, e)
	w := t.pendingWork()
	w.entries = append(w.entries, entryRef{q, e.m, seq})
}

// putEntry writes the record of an entry anew.
func (t *Turn) putEntry(q *Queue, seq uint64, e *entry) {
	var flags byte
	if e.m.stored != 0 {
		flags |= entryRefers
	}
	if e.retain {
		flags |= entryRetain
	}
	if e.state == received {
		flags |= entryReceived
	}
	b := []byte{flags, e.qos}
	b = putUint(b, uint64(e.tag))
	var ids []uint32
	if e.ids != nil {
		ids = *e.ids
	}
	b = putUint(b, uint64(len(ids)))
	for _, id := range ids {
		b = putUint(b, uint64(id))
	}
	if e.m.stored != 0 {
		b = putUint(b, e.m.stored)
	} else {
		b = appendMessage(b, e.m)
	}
	t.set(key2(keyEntry, q.id, seq), b)
}

func (t *Turn) deleteEntry(q *Queue, seq uint64, m *Message) {
	t.delete(key2(keyEntry, q.id, seq))
	t.releaseMessage(m)
}

// releaseMessage drops one reference of a durable entry to its message; the
// last one deletes the message's record.
func (t *Turn) releaseMessage(m *Message) {
	if m.stored != 0 && m.refs.Add(-1) == 0 {
		t.delete(key1(keyMessage, m.stored))
	}
}

func (t *Turn) deleteEntries(q *Queue) {
	t.pendingWork().batch.DeleteRange(key2(keyEntry, q.id, 0), key1(keyEntry, q.id+1))
}

func (t *Turn) putMessage(m *Message) {
	t.set(key1(keyMessage, m.stored), appendMessage(nil, m))
}

// Retained messages.

func (t *Turn) putRetained(ns *Namespace, m *Message) {
	t.set(retainedKey(ns.name, m.Topic), appendMessage(nil, m))
}

func (t *Turn) deleteRetained(ns *Namespace, topic string) { t.delete(retainedKey(ns.name, topic)) }

// Delayed messages.

func (t *Turn) putDelayed(d *delayed) {
	b := putText(nil, d.ns.name)
	b = putUint(b, uint64(d.due))
	b = putText(b, d.principal.User)
	b = putText(b, d.principal.Method)
	b = putUint(b, uint64(len(d.principal.Roles)))
	for _, role := range d.principal.Roles {
		b = putText(b, role)
	}
	t.set(key1(keyDelayed, d.id), appendMessage(b, d.m))
	w := t.pendingWork()
	w.delayed = append(w.delayed, d)
}

func (r *reader) delayed(id uint64, ns *Namespace) *delayed {
	d := &delayed{ns: ns, id: id, due: Time(r.uint())}
	d.principal = &Principal{Namespace: ns.name, User: r.text(), Method: r.text()}
	for n := r.count(); n > 0 && !r.bad; n-- {
		d.principal.Roles = append(d.principal.Roles, r.text())
	}
	d.m = r.message()
	return d
}

// Sessions.

func (t *Turn) putSession(st *session) {
	b := putText(nil, st.ns.name)
	b = putText(b, st.key.user)
	b = putText(b, st.key.client)
	b = putUint(b, uint64(st.expiry))
	b = putUint(b, uint64(st.ends))
	b = putUint(b, uint64(st.willAt))
	b = putUint(b, st.inbox.id)
	b = putBool(b, st.inbox.each)
	b = putBool(b, st.inbox.keep)
	b = putUint(b, uint64(st.inbox.spec.Limits.Messages))
	b = putUint(b, uint64(st.inbox.spec.Limits.Bytes))
	b = append(b, byte(st.inbox.spec.Limits.Overflow))
	b = putBool(b, st.will != nil)
	if w := st.will; w != nil {
		b = putUint(b, uint64(w.Delay))
		b = putUint(b, uint64(w.Expiry))
		b = appendMessage(b, w.Message)
	}
	t.set(key1(keySession, st.id), b)
}

// deleteSession removes a session with its subscriptions and identifiers; its
// queue goes with Queue.close.
func (t *Turn) deleteSession(st *session) {
	t.delete(key1(keySession, st.id))
	b := &t.pendingWork().batch
	b.DeleteRange(key1(keySubscription, st.id), key1(keySubscription, st.id+1))
	b.DeleteRange(key1(keySeen, st.id), key1(keySeen, st.id+1))
}

func (t *Turn) putSeen(st *session, key uint64) { t.set(key2(keySeen, st.id, key), nil) }

func (t *Turn) deleteSeen(st *session, key uint64) { t.delete(key2(keySeen, st.id, key)) }

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

func (t *Turn) putSubscription(st *session, s Subscription) {
	t.set(keyText(keySubscription, st.id, s.Filter), appendSubscription(nil, s))
}

func (t *Turn) deleteSubscription(st *session, filter string) {
	t.delete(keyText(keySubscription, st.id, filter))
}

// Queues.

func (t *Turn) putQueue(q *Queue) {
	b := putText(nil, q.ns.name)
	b = append(b, byte(q.kind))
	b = putText(b, q.spec.Name)
	b = putBool(b, q.spec.AutoDelete)
	b = putBool(b, q.spec.DeadLetter)
	b = putBool(b, q.spec.Latest)
	b = putUint(b, uint64(q.spec.Limits.Messages))
	b = putUint(b, uint64(q.spec.Limits.Bytes))
	b = append(b, byte(q.spec.Limits.Overflow))
	b = putUint(b, uint64(q.spec.TTL))
	b = putUint(b, uint64(q.spec.IdleExpiry))
	b = putUint(b, uint64(q.spec.MaxAttempts))
	b = putText(b, q.spec.Args)
	b = putText(b, q.spec.DeadRoom)
	b = putText(b, q.spec.DeadTo)
	b = putBool(b, q.spec.SingleActive)
	t.set(key1(keyQueue, q.id), b)
}

func (r *reader) queue(id uint64, ns *Namespace) *Queue {
	kind := queueKind(r.byte())
	spec := QueueSpec{Name: r.text(), Durable: true, AutoDelete: r.bool(), DeadLetter: r.bool(), Latest: r.bool()}
	spec.Limits = QueueLimits{Messages: int(r.uint()), Bytes: int64(r.uint()), Overflow: Overflow(r.byte())}
	spec.TTL, spec.IdleExpiry = time.Duration(r.uint()), time.Duration(r.uint())
	spec.MaxAttempts = int(r.uint())
	spec.Args = r.text()
	spec.DeadRoom, spec.DeadTo, spec.SingleActive = r.text(), r.text(), r.bool()
	q := ns.newQueue(kind, spec)
	q.id = id
	return q
}

func (t *Turn) putBinding(q *Queue, s Subscription) {
	t.set(keyText(keyBinding, q.id, s.Filter), appendSubscription(nil, s))
}

func (t *Turn) deleteBinding(q *Queue, filter string) { t.delete(keyText(keyBinding, q.id, filter)) }

func (t *Turn) deleteQueueRecord(q *Queue) {
	t.delete(key1(keyQueue, q.id))
	t.pendingWork().batch.DeleteRange(key1(keyBinding, q.id), key1(keyBinding, q.id+1))
}
