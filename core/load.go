package core

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/entrepot/entrepot/core/topic"
)

// loading is the state of one start: what the records refer to.
type loading struct {
	r        *Router
	t        *Turn
	last     uint64 // highest identity seen
	sessions map[uint64]*session
	queues   map[uint64]*Queue
	messages map[uint64]*Message
	people   map[string]*Principal // of delayed messages, shared
}

// load rebuilds everything that the store holds. Sessions come back as away;
// wills and ends that fell due while the process was down are due now.
func (r *Router) load() error {
	l := &loading{r: r, t: r.NewTurn(nil), sessions: map[uint64]*session{}, queues: map[uint64]*Queue{}, messages: map[uint64]*Message{}, people: map[string]*Principal{}}
	steps := []struct {
		kind byte
		read func(key, value []byte) error
	}{
		{keySession, l.session}, {keyQueue, l.queue}, {keyBinding, l.binding}, {keySubscription, l.subscription},
		{keySeen, l.seen}, {keyMessage, l.message}, {keyEntry, l.entry}, {keyRetained, l.retained},
		{keyDelayed, l.delayed},
	}
	for _, step := range steps {
		for rec, err := range r.store.Scan([]byte{step.kind}, []byte{step.kind + 1}) {
			if err != nil {
				return fmt.Errorf("read the store: %w", err)
			}
			if err := step.read(rec.Key[1:], rec.Value); err != nil {
				return fmt.Errorf("read the store: key %q: %w", rec.Key, err)
			}
		}
	}
	r.lastID.Store(l.last)
	l.finish()
	l.t.End()
	return nil
}

func (l *loading) id(key []byte) (uint64, []byte, error) {
	if len(key) < 8 {
		return 0, nil, errRecord
	}
	id := binary.BigEndian.Uint64(key)
	l.last = max(l.last, id)
	return id, key[8:], nil
}

func (l *loading) session(key, value []byte) error {
	id, _, err := l.id(key)
	if err != nil {
		return err
	}
	r := &reader{b: value}
	ns := l.r.namespace(r.text())
	st := &session{ns: ns, id: id, durable: true}
	st.key = sessionKey{r.text(), r.text()}
	st.principal.Store(&Principal{Namespace: ns.name, User: st.key.user})
	st.expiry = time.Duration(r.uint())
	st.ends, st.willAt = Time(r.uint()), Time(r.uint())
	q := &Queue{ns: ns, kind: sessionQueue, own: st, durable: true, head: 1, next: 1, tail: 1}
	q.id, q.each, q.keep = r.uint(), r.bool(), r.bool()
	q.spec.Limits = QueueLimits{Messages: int(r.uint()), Bytes: int64(r.uint()), Overflow: Overflow(r.byte())}
	if r.bool() {
		st.will = &Will{Delay: time.Duration(r.uint()), Expiry: time.Duration(r.uint()), Message: r.message()}
	}
	st.inbox = q
	l.last = max(l.last, q.id)
	l.sessions[id], l.queues[q.id] = st, q
	ns.sessions[st.key] = st
	return r.err()
}

func (l *loading) queue(key, value []byte) error {
	id, _, err := l.id(key)
	if err != nil {
		return err
	}
	r := &reader{b: value}
	ns := l.r.namespace(r.text())
	q := r.queue(id, ns)
	if q.kind == groupQueue {
		group, filter, _, err := topic.SplitShare(q.spec.Name)
		if err != nil {
			return errRecord
		}
		ns.groups[groupKey{group, filter}] = q
		q.bind(l.t, Subscription{Filter: filter, QoS: 2})
	} else {
		ns.queues[q.spec.Name] = q
	}
	l.queues[id] = q
	return r.err()
}

func (l *loading) binding(key, value []byte) error {
	id, filter, err := l.id(key)
	if err != nil {
		return err
	}
	q := l.queues[id]
	if q == nil {
		return nil // its queue was deleted; the range goes with the next deletion
	}
	r := &reader{b: value}
	sub := r.subscription(string(filter))
	b := newBinding(q, sub)
	q.bindings[sub.Filter] = b
	q.ns.index.Add(sub.Filter, b)
	return r.err()
}

func (l *loading) subscription(key, value []byte) error {
	id, filter, err := l.id(key)
	if err != nil {
		return err
	}
	st := l.sessions[id]
	if st == nil {
		return nil
	}
	r := &reader{b: value}
	sub := r.subscription(string(filter))
	if r.err() != nil {
		return r.err()
	}
	if strings.HasPrefix(sub.Filter, "$share/") || strings.HasPrefix(sub.Filter, queuePrefix) {
		l.member(st, sub)
		return nil
	}
	b := newBinding(st.inbox, sub)
	if st.subs == nil {
		st.subs = map[string]*binding{}
	}
	st.subs[sub.Filter] = b
	st.ns.index.Add(sub.Filter, b)
	return nil
}

// member makes a session that is away a member of its group or queue again.
func (l *loading) member(st *session, sub Subscription) {
	ns := st.ns
	var q *Queue
	if name, ok := strings.CutPrefix(sub.Filter, queuePrefix); ok {
		q = ns.queues[name]
	} else if group, filter, _, err := topic.SplitShare(sub.Filter); err == nil {
		q = ns.groups[groupKey{group, filter}]
	}
	if q == nil {
		return
	}
	c := &Consumer{queue: q, opts: ConsumeOptions{QoS: sub.QoS, ID: sub.ID}, member: st}
	q.consumers = append(q.consumers, c)
	if st.shared == nil {
		st.shared = map[string]*Consumer{}
	}
	st.shared[sub.Filter] = c
}

func (l *loading) seen(key, _ []byte) error {
	id, rest, err := l.id(key)
	if err != nil || len(rest) != 8 {
		return errRecord
	}
	if st := l.sessions[id]; st != nil {
		if st.seen == nil {
			st.seen = map[uint64]struct{}{}
		}
		st.seen[binary.BigEndian.Uint64(rest)] = struct{}{}
	}
	return nil
}

func (l *loading) message(key, value []byte) error {
	id, _, err := l.id(key)
	if err != nil {
		return err
	}
	r := &reader{b: value}
	m := r.message()
	m.stored = id
	l.messages[id] = m
	return r.err()
}

func (l *loading) entry(key, value []byte) error {
	id, rest, err := l.id(key)
	if err != nil || len(rest) != 8 {
		return errRecord
	}
	seq := binary.BigEndian.Uint64(rest)
	q := l.queues[id]
	if q == nil {
		l.t.delete(append([]byte{keyEntry}, key...))
		return nil
	}
	r := &reader{b: value}
	flags := r.byte()
	e := entry{qos: r.byte(), tag: uint32(r.uint()), stored: true, logged: true, retain: flags&entryRetain != 0}
	if n := r.count(); n > 0 {
		ids := make([]uint32, 0, n)
		for ; n > 0; n-- {
			ids = append(ids, uint32(r.uint()))
		}
		e.ids = &ids
	}
	if flags&entryRefers != 0 {
		if e.m = l.messages[r.uint()]; e.m == nil {
			return errRecord
		}
		e.m.refs.Add(1)
		e.m.shared = true
	} else {
		e.m = r.message()
	}
	if r.err() != nil {
		return r.err()
	}
	if flags&entryReceived != 0 {
		e.state, e.attempts = received, 1
	}
	q.restore(l.t, seq, e)
	return nil
}

// restore puts an entry back into its place; entries come in ascending order.
func (q *Queue) restore(t *Turn, seq uint64, e entry) {
	if q.head == q.tail {
		q.head, q.next, q.tail = seq, seq, seq
	}
	for {
		if q.tail-q.head == uint64(len(q.ring)) {
			q.grow(t)
		}
		at := q.tail
		q.tail++
		if at == seq {
			break
		}
		*q.at(at) = entry{state: settled}
	}
	*q.at(seq) = e
	q.count++
	q.bytes += int64(e.m.Size())
	if e.state == received {
		q.returned = append(q.returned, seq)
	}
}

func (l *loading) retained(key, value []byte) error {
	name, rest, ok := bytes.Cut(key, []byte{0})
	if !ok {
		return errRecord
	}
	r := &reader{b: value}
	m := r.message()
	if r.err() != nil || m.Topic != string(rest) {
		return errRecord
	}
	ns := l.r.namespace(string(name))
	ns.retained.Set(m.Topic, m)
	ns.retainedBytes.Add(int64(m.Size()))
	if m.rev > ns.revision.Load() {
		ns.revision.Store(m.rev)
	}
	return nil
}

func (l *loading) delayed(key, value []byte) error {
	id, _, err := l.id(key)
	if err != nil {
		return err
	}
	r := &reader{b: value}
	ns := l.r.namespace(r.text())
	d := r.delayed(id, ns)
	if r.err() != nil {
		return r.err()
	}
	who := strings.Join(append([]string{ns.name, d.principal.User, d.principal.Method}, d.principal.Roles...), "\x00")
	if known := l.people[who]; known != nil {
		d.principal = known
	}
	l.people[who] = d.principal
	ns.delayed.count++
	ns.delayed.bytes += int64(d.m.Size())
	d.wait()
	return nil
}

// finish removes what nothing refers to any more and sets the timers.
func (l *loading) finish() {
	for id, m := range l.messages {
		if m.refs.Load() == 0 {
			l.t.delete(key1(keyMessage, id))
		}
	}
	now := l.t.Now
	for _, st := range l.sessions {
		if st.ends == 0 { // it was connected when the process was killed
			st.ends = now.After(st.expiry)
		}
		switch at := st.willAt; {
		case st.will == nil:
			st.willAt = 0
		case at == 0: // it was connected when the process ended: a stop sends no wills
			st.delayWill(now.After(min(st.will.Delay+willGrace, st.expiry)))
		default: // its client may have tried in vain while we were away
			st.willAt = 0 // not counted yet
			st.delayWill(max(at, now.After(willGrace)))
		}
		st.schedule()
	}
	for _, q := range l.queues {
		for seq := q.head; q.spec.TTL > 0 && seq < q.tail; seq++ {
			q.limitAge(l.t, seq)
		}
		if q.kind == groupQueue && len(q.consumers) == 0 {
			q.ns.deleteQueue(l.t, q)
			continue
		}
		q.touch(l.t)
	}
}

// willGrace is how long clients have, after a start, to come back before the
// wills of those that were connected at the stop are published.
const willGrace = 30 * time.Second
