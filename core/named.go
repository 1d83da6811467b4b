package core

import (
	"slices"
	"strings"

	"github.com/entrepot/entrepot/core/topic"
)

// deadPrefix begins the names of dead-letter queues.
const deadPrefix = "$dead/"

// maxQueueName bounds the name of a queue, in bytes.
const maxQueueName = 255

func (ns *Namespace) newQueue(kind queueKind, spec QueueSpec) *Queue {
	q := &Queue{
		ns: ns, id: ns.r.newID(), kind: kind, spec: ns.r.specs.of(kind, spec), durable: spec.Durable,
		head: 1, next: 1, tail: 1, bindings: new(filters),
	}
	if q.countsReady() {
		q.wanted = &wanted{}
	}
	return q
}

// queue finds a named queue; nil when there is none.
func (ns *Namespace) queue(name string) *Queue {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.queues[name]
}

// declare finds a named queue or makes it.
func (ns *Namespace) declare(t *Turn, spec QueueSpec) (q *Queue, created bool, reason Reason) {
	if len(spec.Name) == 0 || len(spec.Name) > maxQueueName || topic.CheckName(spec.Name, topic.Limits{}) != nil {
		return nil, false, BadTopic
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if q = ns.queues[spec.Name]; q != nil {
		return q, false, OK
	}
	if len(ns.queues) >= ns.limits().Queues {
		return nil, false, ns.over(LimitQueues)
	}
	if reason = t.refusesMore(spec.Durable); reason != OK {
		return nil, false, reason
	}
	q = ns.newQueue(namedQueue, spec)
	ns.queues[spec.Name] = q
	if q.durable {
		t.changed(change{kind: queueChange, q: q})
	}
	q.used(t) // its idle time counts from now
	return q, true, OK
}

// queueFor finds the queue that a publisher addresses, and makes it durable
// and unbound when it is absent and the publisher may.
func (ns *Namespace) queueFor(t *Turn, p *Principal, name string) (*Queue, Reason) {
	if q := ns.queue(name); q != nil {
		return q, OK
	}
	if !ns.r.permits(p, p.ClientID, ActionQueue, name) {
		return nil, NotAuthorized
	}
	q, _, reason := ns.declare(t, QueueSpec{Name: name, Durable: true})
	return q, reason
}

// boundQueue finds the queue that a "$queue/NAME" subscription consumes, and
// makes it bound to the filter NAME when it is absent.
func (ns *Namespace) boundQueue(t *Turn, s *Session, name string) (*Queue, Reason) {
	if q := ns.queue(name); q != nil {
		return q, OK
	}
	if topic.CheckFilter(name, s.ns.r.topicLimits()) != nil || len(name) > maxQueueName {
		return nil, BadFilter
	}
	if !s.Permits(ActionQueue, name) || !s.Permits(ActionSubscribe, name) {
		return nil, NotAuthorized
	}
	if reason := t.refusesMore(true); reason != OK {
		return nil, reason
	}
	idle := autoQueueExpiry
	if s.extra != nil && s.extra.idleQueue != 0 {
		idle = s.extra.idleQueue
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if q := ns.queues[name]; q != nil {
		return q, OK
	}
	if len(ns.queues) >= ns.limits().Queues {
		return nil, ns.over(LimitQueues)
	}
	q := ns.newQueue(namedQueue, QueueSpec{Name: name, Durable: true, IdleExpiry: idle})
	ns.queues[name] = q
	t.changed(change{kind: queueChange, q: q})
	q.bind(t, Subscription{Filter: name, QoS: 2})
	q.used(t)
	return q, OK
}

// group finds or makes the queue of a group.
func (ns *Namespace) group(t *Turn, group, filter string, durable, wide bool) *Queue {
	key := groupKey{group, filter}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	q := ns.groups[key]
	if q == nil {
		q = ns.newQueue(groupQueue, QueueSpec{Name: "$share/" + group + "/" + filter, Durable: durable})
		ns.groups[key] = q
		if durable {
			t.changed(change{kind: queueChange, q: q})
		}
		q.bind(t, Subscription{Filter: filter, QoS: 2, Wide: wide})
		return q
	}
	q.mu.Lock()
	if durable && !q.durable {
		q.durable = true
		t.changed(change{kind: queueChange, q: q})
	}
	q.mu.Unlock()
	return q
}

// deadLetterQueue is where rejected messages of a queue go.
func (ns *Namespace) deadLetterQueue(t *Turn, name string) *Queue {
	q, _, reason := ns.declare(t, QueueSpec{Name: deadPrefix + name, Durable: true, Limits: QueueLimits{Overflow: DropOldest}})
	if reason != OK {
		return ns.newQueue(namedQueue, QueueSpec{Limits: QueueLimits{Messages: 1, Overflow: DropNewest}})
	}
	return q
}

// Declare makes a named queue, or finds it equal. With pending, answer when
// Safe reaches seq. Exists: it has other properties. Locked: it is exclusive
// to another connection.
func (s *Session) Declare(t *Turn, spec QueueSpec) (info QueueInfo, created bool, seq uint64, pending bool, reason Reason) {
	ns := s.ns
	if q := ns.queue(spec.Name); q != nil {
		q.used(t)
		info, reason = s.inspect(q)
		if reason == OK && !sameSpec(*q.spec, spec) {
			reason = Exists
		}
		return info, false, 0, false, reason
	}
	if !(spec.Exclusive && spec.Unnamed) && !s.Permits(ActionQueue, spec.Name) {
		return info, false, 0, false, NotAuthorized
	}
	durable := spec.Durable && !spec.Exclusive
	spec.Durable, durable = durable, spec.Durable // an exclusive queue ends with its connection: nothing to keep
	q, created, reason := ns.declare(t, spec)
	if reason != OK {
		return info, false, 0, false, reason
	}
	if created {
		q.mu.Lock()
		q.spec.Durable = durable
		if spec.Exclusive {
			q.own = s.st
		}
		q.mu.Unlock()
		if spec.Exclusive {
			x := s.more()
			x.exclusive = append(slices.DeleteFunc(x.exclusive, (*Queue).isGone), q)
		}
	}
	seq, pending = s.advance(t, created && q.durable)
	return q.info(), created, seq, pending, OK
}

// sameSpec compares what a redeclaration must repeat.
func sameSpec(a, b QueueSpec) bool {
	return a.Durable == b.Durable && a.Exclusive == b.Exclusive && a.AutoDelete == b.AutoDelete && a.Args == b.Args
}

// Inspect describes a named queue. NotFound, Locked.
func (s *Session) Inspect(name string) (QueueInfo, Reason) {
	q := s.ns.queue(name)
	if q == nil {
		return QueueInfo{}, NotFound
	}
	return s.inspect(q)
}

// Touch is Inspect, and counts as a use of the queue.
func (s *Session) Touch(t *Turn, name string) (QueueInfo, Reason) {
	info, reason := s.Inspect(name)
	if q := s.ns.queue(name); q != nil && reason == OK {
		q.used(t)
	}
	return info, reason
}

func (s *Session) inspect(q *Queue) (QueueInfo, Reason) {
	if !s.mayUse(q) {
		return QueueInfo{}, Locked
	}
	return q.info(), OK
}

// mayUse tells whether the queue is not exclusive to another connection.
func (s *Session) mayUse(q *Queue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.spec.Exclusive || q.own == s.st
}

// owns tells whether the queue is exclusive to this connection.
func (s *Session) owns(q *Queue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.spec.Exclusive && q.own == s.st
}

// lookup finds a queue that this session may use and asks for a right on it.
func (s *Session) lookup(name string, a Action) (*Queue, Reason) {
	q := s.ns.queue(name)
	switch {
	case q == nil:
		return nil, NotFound
	case !s.mayUse(q):
		return nil, Locked
	case s.owns(q): // nobody else can use it, and each delivery is checked
	case a == ActionQueue && !s.Permits(a, name),
		a == ActionSubscribe && !s.Permits(a, queuePrefix+name):
		return nil, NotAuthorized
	}
	return q, OK
}

// Purge drops what waits in a named queue and leaves what is in flight.
func (s *Session) Purge(t *Turn, name string) (n int, reason Reason) {
	q, reason := s.lookup(name, ActionQueue)
	if reason != OK {
		return 0, reason
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, seq := range q.returned {
		q.remove(t, seq)
		n++
	}
	q.returned = nil
	for q.next < q.edge() { // the last one that goes moves it over holes
		seq := q.next
		q.next++
		if q.at(seq).state == waiting {
			q.remove(t, seq)
			n++
		}
	}
	return n + q.dropStored(t, q.tail, noCause), OK
}

// Delete removes a named queue with what it holds and tells how many messages
// waited. InUse: it has consumers or messages and the caller minds.
func (s *Session) Delete(t *Turn, name string, ifUnused, ifEmpty bool) (n int, reason Reason) {
	q, reason := s.lookup(name, ActionQueue)
	if reason != OK {
		return 0, reason
	}
	n, deleted := s.ns.deleteQueue(t, q, func() bool {
		return !(ifUnused && !q.unused()) && !(ifEmpty && q.count > 0)
	})
	switch {
	case deleted:
		s.advance(t, false)
	case q.isGone():
		return 0, NotFound
	default:
		return 0, InUse
	}
	return n, OK
}

// Queues lists the named queues that the session may see, without "$dead/"
// ones.
func (s *Session) Queues() []QueueInfo {
	ns := s.ns
	ns.mu.Lock()
	all := make([]*Queue, 0, len(ns.queues))
	for name, q := range ns.queues {
		if !strings.HasPrefix(name, deadPrefix) {
			all = append(all, q)
		}
	}
	ns.mu.Unlock()
	infos := make([]QueueInfo, 0, len(all))
	for _, q := range all {
		infos = append(infos, q.info())
	}
	return infos
}
