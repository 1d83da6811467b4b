package core

import (
	"bytes"
	"strings"

	"github.com/entrepot/entrepot/core/topic"
)

func (l *loading) queue(key, value []byte) error {
	id, _, err := l.id(key)
	if err != nil {
		return err
	}
	r := &reader{b: value, ages: &l.r.ages}
	ns := l.namespace(r.bytes())
	q := r.queue(id, ns)
	if r.err() != nil {
		return r.err()
	}
	if q.kind == groupQueue {
		return l.group(q)
	}
	if old := ns.queues[q.spec.Name]; old != nil { // the end of the older was on its way
		l.orphans.add(keyQueue, old.spec.Name)
		l.queues.remove(old.id)
		l.t.pendingWork().batch.noQueue(old.id)
	}
	ns.queues[q.spec.Name] = q
	l.queues.put(id, q)
	return nil
}

func (l *loading) group(q *Queue) error {
	ns := q.ns
	group, filter, _, err := topic.SplitShare(q.spec.Name)
	if err != nil {
		return errRecord
	}
	at := groupKey{group, filter}
	if old := ns.groups[at]; old != nil {
		l.orphans.add(keyQueue, old.spec.Name)
		ns.index.Remove(filter, old.bindings.get(filter))
		l.queues.remove(old.id)
		l.t.pendingWork().batch.noQueue(old.id)
	}
	ns.groups[at] = q
	q.bind(l.t, Subscription{Filter: filter, QoS: 2})
	l.queues.put(q.id, q)
	return nil
}

func (l *loading) binding(key, value []byte) error {
	id, filter, err := l.id(key)
	if err != nil {
		return err
	}
	q := l.queues.get(id)
	if q == nil || q.bindings == nil {
		l.orphan(keyBinding, key, string(filter))
		return nil
	}
	r := &reader{b: value, ages: &l.r.ages}
	sub := r.subscription(string(filter))
	if r.err() != nil {
		return r.err()
	}
	b := newBinding(q, sub)
	q.bindings.put(b)
	q.ns.index.Add(sub.Filter, b)
	return nil
}

func (l *loading) subscription(key, value []byte) error {
	id, filter, err := l.id(key)
	if err != nil {
		return err
	}
	st := l.sessions.get(id)
	if st == nil {
		l.orphan(keySubscription, key, string(filter))
		return nil
	}
	r := &reader{b: value, ages: &l.r.ages}
	sub := r.subscription(string(filter))
	if r.err() != nil {
		return r.err()
	}
	if strings.HasPrefix(sub.Filter, "$share/") || strings.HasPrefix(sub.Filter, queuePrefix) {
		if !l.member(st, sub) {
			l.orphan(keySubscription, key, sub.Filter)
		}
		return nil
	}
	b := newBinding(st.inbox, sub)
	st.subs.put(b)
	st.text += len(sub.Filter)
	l.subs[st.ns] = append(l.subs[st.ns], b)
	return nil
}

// index adds the subscriptions of all sessions to the index.
func (l *loading) index() {
	for ns, subs := range l.subs {
		ns.index.AddAll(len(subs), func(i int) (string, *binding) { return subs[i].sub.Filter, subs[i] })
	}
	l.subs = nil
}

// member makes a session that is away a member of its group or queue again;
// false when that is not there any more.
func (l *loading) member(st *session, sub Subscription) bool {
	ns := st.ns
	var q *Queue
	if name, ok := strings.CutPrefix(sub.Filter, queuePrefix); ok {
		q = ns.queues[name]
	} else if group, filter, _, err := topic.SplitShare(sub.Filter); err == nil {
		q = ns.groups[groupKey{group, filter}]
	}
	if q == nil {
		return false
	}
	c := &Consumer{queue: q, member: st, filter: sub.Filter}
	c.setOptions(ConsumeOptions{QoS: sub.QoS, ID: sub.ID})
	q.consumers = append(q.consumers, c)
	st.share(c)
	st.text += len(sub.Filter)
	return true
}

// walk lets a retained walk go on where it was.
func (l *loading) walk(key, value []byte) error {
	id, filter, err := l.id(key)
	if err != nil {
		return err
	}
	r := &reader{b: value, ages: &l.r.ages}
	w := &lane{after: r.text(), rev: r.uint(), logged: true, begun: true}
	if len(r.b) > 0 {
		w.behind = uint8(min(r.uint(), mostRepeats))
	}
	if r.err() != nil {
		return r.err()
	}
	st := l.sessions.get(id)
	var b *binding
	if st != nil {
		b = st.subs.get(string(filter))
	}
	if b == nil {
		l.orphan(keyWalk, key, string(filter))
		return nil
	}
	w.sub, w.ids = b.sub, b.ids
	x := st.inbox.aside()
	x.lanes = append(x.lanes, w)
	for n := w.behind; n > 0; n-- {
		next := *w
		next.after, next.behind = "", n-1
		x.lanes = append(x.lanes, &next)
	}
	if st.ns.revision.Load() < w.rev {
		st.ns.revision.Store(w.rev)
	}
	return nil
}

// message reads a message that entries refer to, once; nil when it is not there.
func (l *loading) message(id uint64) (*Message, error) {
	m := l.messages[id]
	if m == nil {
		var err error
		if m, err = l.r.sharedMessage(id); m == nil {
			return nil, err
		}
		l.messages[id] = m
	}
	m.record.refs.Add(1)
	return m, nil
}

// restore puts an entry back into its place; entries come in ascending order.
// What may have been sent is a repetition from now on.
func (q *Queue) restore(t *Turn, seq uint64, e entry) {
	if q.head == q.tail {
		q.head, q.next, q.tail = seq, seq, seq
	}
	for {
		switch {
		case len(q.ring) == 0:
			q.ring = make([]entry, 1) // most hold no more for as long as their session is away
		case q.tail-q.head == uint64(len(q.ring)):
			q.grow(t)
		}
		at := q.tail
		q.tail++
		if at == seq {
			break
		}
		*q.at(at) = entry{state: settled}
	}
	if e.state == received || q.sending != nil && seq < q.sending.asked {
		e.attempts = 1
		q.returned = append(q.returned, seq)
		q.next = q.tail
	}
	*q.at(seq) = e
	q.charge(1, int64(e.m.Size()))
}

// restoreSide puts back a retained message that was on its way.
func (q *Queue) restoreSide(seq uint64, e entry) {
	e.attempts = 1
	q.keepSide(seq, &e)
	q.side.back = append(q.side.back, seq)
	q.side.seq = seq&^laneBit + 1
}

func (l *loading) retained(key, value []byte) error {
	name, rest, ok := bytes.Cut(key, []byte{0})
	if !ok {
		return errRecord
	}
	r := reader{b: value, ages: &l.r.ages, lasts: true} // as long as it is looked at
	var m Message
	r.messageTo(&m)
	owner := r.text()
	if r.err() != nil || m.Topic != string(rest) {
		return errRecord
	}
	ns := l.namespace(name)
	ns.retained.Set(packedRecord(value, &m, owner))
	ns.retainedBytes.Add(int64(m.Size()))
	ns.retainers.add(owner, 1)
	if m.Expires != 0 {
		ns.expiresLater(l.t.Now, m.Expires)
	}
	if m.rev > ns.revision.Load() {
		ns.revision.Store(m.rev)
	}
	l.last = max(l.last, m.From)
	return nil
}
