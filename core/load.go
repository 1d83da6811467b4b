package core

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// loading is the state of one start: what the records refer to.
type loading struct {
	r        *Router
	t        *Turn
	last     uint64 // highest identity seen
	sessions byID[*session]
	queues   byID[*Queue]
	messages map[uint64]*Message
	skipped  skipped
	subs     map[*Namespace][]*binding  // of sessions, not in the index yet
	segments map[uint64][]*segment      // of queues, in order, not reached yet
	clears   map[uint64][]clearing      // of queues, in order
	people   map[string]*Principal      // of sessions and delayed messages, shared
	who      []byte                     // scratch of principal
	ns       *Namespace                 // of the last record
	specs    map[QueueLimits]*QueueSpec // of sessions, shared
	sendings []sending                  // of sessions to come
	orphans  orphans
}

// load rebuilds everything that the store holds. Sessions come back as away;
// wills and ends that fell due while the process was down are due now. A
// record that cannot be read stops the start; one that refers to something
// which is not there is removed, and reported.
func (r *Router) load() error {
	l := &loading{r: r, t: r.NewTurn(nil), messages: map[uint64]*Message{}, segments: map[uint64][]*segment{}, clears: map[uint64][]clearing{}, subs: map[*Namespace][]*binding{}, people: map[string]*Principal{}, specs: map[QueueLimits]*QueueSpec{}}
	steps := []struct {
		kind byte
		read func(key, value []byte) error
		then func() // nil: nothing
	}{
		{keySession, l.session, l.place}, {keyQueue, l.queue, nil}, {keyBinding, l.binding, nil}, {keySubscription, l.subscription, l.index},
		{keyWalk, l.walk, nil}, {keySeen, l.seen, nil}, {keySegment, l.segment, nil}, {keyClearing, l.clearing, nil},
		{keyRetained, l.retained, nil}, {keyDelayed, l.delayed, nil},
	}
	for _, step := range steps {
		for rec, err := range l.ahead([]byte{step.kind}, []byte{step.kind + 1}) {
			if err != nil {
				return fmt.Errorf("read the store: %w", err)
			}
			if err := step.read(rec.Key[1:], rec.Value); err != nil {
				return damaged(rec.Key, err)
			}
		}
		if step.then != nil {
			step.then()
		}
	}
	if err := l.entries(); err != nil {
		return err
	}
	r.lastID.Store(l.last)
	l.finish()
	if r.ages.run != 0 {
		r.noteTime(l.t)
	}
	l.t.End()
	l.orphans.report(r)
	return nil
}

// damage names a record that cannot be read.
type damage struct {
	key []byte
	err error
}

func damaged(key []byte, err error) error {
	if known := (*damage)(nil); errors.As(err, &known) {
		return err
	}
	return &damage{slices.Clone(key), err}
}

func (d *damage) Error() string {
	return fmt.Sprintf("the store is damaged: the record of a %s (key %q) cannot be read: %v", recordKinds[d.key[0]], d.key, d.err)
}

func (d *damage) Unwrap() error { return d.err }

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
	r := &reader{b: value, ages: &l.r.ages}
	ns := l.namespace(r.bytes())
	st := &session{ns: ns, id: id, durable: true, begun: true, lasting: new(lasting)}
	client := r.text()
	p := l.principal(r, ns)
	st.client = client
	st.principal.Store(p)
	st.expiry = time.Duration(r.uint())
	st.ends, st.loaded = r.time()
	st.willAt, _ = r.time()
	q := &Queue{ns: ns, kind: sessionQueue, own: st, durable: true}
	q.id, q.each, q.keep = r.uint(), r.bool(), r.bool()
	q.spec = l.spec(QueueLimits{Messages: int(r.uint()), Bytes: int64(r.uint()), Overflow: Overflow(r.byte())})
	q.sending = l.sending(max(1, r.uint())) // what is below may have been sent
	q.head, q.next, q.tail = q.sending.asked, q.sending.asked, q.sending.asked
	if r.bool() {
		st.will = &Will{Delay: time.Duration(r.uint()), Expiry: time.Duration(r.uint()), Message: r.message()}
	}
	if r.err() != nil {
		return r.err()
	}
	st.inbox = q
	l.last = max(l.last, q.id)
	l.sessions.put(id, st)
	l.queues.put(q.id, q)
	return nil
}

// sending is one of many that are made together: none outlives the start.
func (l *loading) sending(asked uint64) *sending {
	if len(l.sendings) == 0 {
		l.sendings = make([]sending, 1024)
	}
	s := &l.sendings[0]
	l.sendings = l.sendings[1:]
	s.asked = asked
	return s
}

// place gives each session its place in its namespace, when it is known how many
// they are. Where two are of one client, the end of the older was on its way.
func (l *loading) place() {
	count := map[*Namespace]int{}
	for st := range l.sessions.all() {
		count[st.ns]++
	}
	for ns, n := range count {
		ns.sessions.table = make(map[uint64]*session, n)
	}
	for st := range l.sessions.all() {
		key := st.key()
		at, all := placeOf(key), &st.ns.sessions
		if old := all.getAt(at, key); old != nil {
			l.orphans.add(keySession, old.client)
			all.removeAt(at, key)
			l.drop(old)
		}
		all.putAt(at, key, st)
	}
	for st := range l.sessions.all() {
		st.ns.keep(st)
	}
}

// drop removes a session that has no place; what refers to it follows.
func (l *loading) drop(st *session) {
	l.sessions.remove(st.id)
	l.queues.remove(st.inbox.id)
	l.t.pendingWork().batch.noSession(st.id)
}

func (l *loading) seen(key, _ []byte) error {
	id, rest, err := l.id(key)
	if err != nil || len(rest) != 8 {
		return errRecord
	}
	st := l.sessions.get(id)
	if st == nil {
		l.orphan(keySeen, key, "")
		return nil
	}
	st.remember(binary.BigEndian.Uint64(rest))
	return nil
}

func (l *loading) delayed(key, value []byte) error {
	id, _, err := l.id(key)
	if err != nil {
		return err
	}
	r := &reader{b: value, ages: &l.r.ages}
	ns := l.namespace(r.bytes())
	d := r.delayed(id, ns)
	if r.err() != nil {
		return r.err()
	}
	d.principal = l.person(d.principal)
	l.last = max(l.last, d.m.From)
	ns.delayed.count++
	ns.delayed.bytes += int64(d.m.Size())
	d.wait()
	return nil
}

// namespace is that of the record at hand, most often the same as before.
func (l *loading) namespace(name []byte) *Namespace {
	if l.ns == nil || l.ns.name != string(name) {
		l.ns = l.r.namespace(string(name))
	}
	return l.ns
}

// principal reads one, or finds the one that is alike.
func (l *loading) principal(r *reader, ns *Namespace) *Principal {
	after := *r
	after.skipPrincipal()
	if after.bad {
		r.bad = true
		return &Principal{Namespace: ns.name}
	}
	l.who = append(append(append(l.who[:0], ns.name...), 0), r.b[:len(r.b)-len(after.b)]...)
	p := l.people[string(l.who)]
	if p == nil {
		p = l.person(r.principal(ns.name))
	}
	*r = after
	return p
}

// person is the one principal for all that are alike.
func (l *loading) person(p *Principal) *Principal {
	who := p.Namespace + "\x00" + string(putPrincipal(nil, p))
	if known := l.people[who]; known != nil {
		return known
	}
	l.people[who] = p
	return p
}

// spec is the one of all sessions that have these limits.
func (l *loading) spec(of QueueLimits) *QueueSpec {
	known := l.specs[of]
	if known == nil {
		known = sessionSpec(of)
		l.specs[of] = known
	}
	return known
}

// finish removes what nothing refers to any more and sets the timers.
func (l *loading) finish() {
	now := l.t.Now
	for st := range l.sessions.all() {
		if st.ends == 0 { // it was connected when the process was killed
			st.ends, st.loaded = now.After(st.expiry), false
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
		if st.inbox.paged != nil {
			st.inbox.paged.dup = min(st.inbox.sending.asked, st.inbox.tail)
		}
		below := st.inbox.sending.asked
		if st.inbox.sending = nil; below > st.inbox.sentTo() { // known exactly from here on
			l.t.changed(change{kind: sessionChange, st: st})
		}
		st.schedule()
	}
	for q := range l.queues.all() {
		l.skipCleared(q)
		if q.head < q.tail {
			q.limitAge(l.t, q.head) // and for all that follow
		}
		if q.kind == groupQueue && len(q.consumers) == 0 {
			q.ns.deleteQueue(l.t, q, nil)
			continue
		}
		q.used(l.t)
		q.shortenAtStart(l.t)
	}
}

// willGrace is how long clients have, after a start, to come back before the
// wills of those that were connected at the stop are published.
const willGrace = 30 * time.Second
