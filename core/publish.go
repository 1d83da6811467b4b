package core

import (
	"slices"
	"strings"

	"github.com/entrepot/entrepot/core/topic"
)

// Match is where one topic leads for one publisher. It stays valid until the
// publisher's next Route.
type Match struct {
	topic   string
	stamp   topic.Stamp
	routes  uint64 // Router.routes, before anything was asked
	targets []target
	abroad  []abroad // where it leads in other namespaces
	arrives bool     // it came from another namespace, and goes to no third one
	direct  bool     // targets are named queues, not found by the index
	valid   bool
}

// target is one queue that a message reaches, with the merged options of the
// subscriptions that led there.
type target struct {
	q    *Queue
	ids  *[]uint32
	free uint32 // the highest mark of the subscriptions
	qos  uint8
	rap  bool
}

// Topic is the topic as a string that may be kept.
func (m *Match) Topic() string { return m.topic }

// LastTopic is the topic of the last Route that found it legal; "": none yet.
func (s *Session) LastTopic() string {
	if s.match == nil {
		return ""
	}
	return s.match.topic
}

// Any tells whether any queue matches. When none does, and the message is not
// to be retained, it need not be built.
func (m *Match) Any() bool { return len(m.targets) > 0 || m.abroad != nil && m.reachesAbroad() }

func (r *Router) topicLimits() topic.Limits {
	return topic.Limits{Bytes: r.limits().TopicBytes, Levels: r.limits().TopicLevels}
}

func (r *Router) checkTopic(name string) Reason {
	if topic.CheckName(name, r.topicLimits()) != nil {
		return BadTopic
	}
	return OK
}

// reserved tells that clients may not publish to the name: "$" topics are
// ours, but for "$queue/".
func reserved(name string) bool {
	return strings.HasPrefix(name, "$") && !strings.HasPrefix(name, queuePrefix)
}

// lastMatch is what the last Route has found; made for the first.
func (s *Session) lastMatch() *Match {
	if s.match == nil {
		s.match = new(Match)
	}
	return s.match
}

// Route finds the queues that a topic leads to and checks the right to
// publish there. A run of one topic costs a comparison. "$queue/NAME" leads to
// that queue, made when it is absent. BadTopic, NotAuthorized and Quota refuse.
func (s *Session) Route(t *Turn, name []byte) (*Match, Reason) {
	t.routed++
	if s.ns.r.metered.Load() && t.publisher != s {
		s.meter(t)
	}
	m := s.lastMatch()
	ns := s.ns
	routes := s.ns.r.routes.Load()
	if m.valid && !m.direct && m.routes == routes && m.topic == string(name) && ns.index.Current(m.stamp) && (m.abroad == nil || m.currentAbroad()) {
		return m, OK
	}
	m.valid, m.routes = false, routes
	if topic.CheckName(name, s.ns.r.topicLimits()) != nil {
		return nil, BadTopic
	}
	if m.topic != string(name) {
		m.topic = string(name)
	}
	if reserved(m.topic) || !s.mayPublish(m.topic) {
		return nil, s.denies(ActionPublish, m.topic)
	}
	if queue, ok := strings.CutPrefix(m.topic, queuePrefix); ok {
		q, reason := ns.queueFor(t, s.principal, queue)
		if reason != OK {
			return nil, reason
		}
		m.setQueues(q)
		return m, OK
	}
	ns.match(t, m, s.st.id)
	return m, OK
}

// RouteQueues leads straight into named queues, as exchanges do. name is the
// topic that the message will carry, and asks for the right to publish it. An
// absent queue is NotFound.
func (s *Session) RouteQueues(t *Turn, name string, queues ...string) (*Match, Reason) {
	t.routed++
	if s.ns.r.metered.Load() && t.publisher != s {
		s.meter(t)
	}
	m := s.lastMatch()
	m.valid = false
	if reserved(name) || !s.mayPublish(name) {
		return nil, s.denies(ActionPublish, name)
	}
	m.topic = name
	m.setQueues()
	for _, x := range queues {
		q := s.ns.queue(x)
		if q == nil {
			return nil, NotFound
		}
		m.targets = append(m.targets, target{q: q, qos: 2})
	}
	return m, OK
}

func (m *Match) setQueues(qs ...*Queue) {
	m.targets, m.abroad = m.targets[:0], nil
	for _, q := range qs {
		m.targets = append(m.targets, target{q: q, qos: 2})
	}
	m.direct, m.valid = true, true
}

// match fills m with the queues that m.topic leads to, published by the session
// of that identity; 0: none.
func (ns *Namespace) match(t *Turn, m *Match, from uint64) {
	t.match, m.stamp = ns.index.Match(t.match[:0], m.topic) // [MQTT-3.3.2-3] [MQTT-4.7.3-4] [3: MQTT-3.3.2-3] [3: MQTT-4.7.3-4]
	m.targets = m.targets[:0]
	for _, b := range t.match {
		if b.sub.NoLocal && b.queue.own != nil && b.queue.own.id == from { // [MQTT-3.8.3-3]
			continue
		}
		m.add(b)
	}
	clear(t.match)
	m.direct, m.valid, m.abroad = false, true, nil
	if links := ns.links.Load(); links != nil && !m.arrives {
		m.leave(t, *links)
	}
}

// add joins a binding to the targets: overlapping subscriptions of one queue
// make one copy with the highest QoS and all identifiers [MQTT-3.3.4-2],
// unless the queue wants a copy each.
// [3: MQTT-3.3.5-1]
func (m *Match) add(b *binding) {
	if !b.queue.each {
		for i := range m.targets {
			if tg := &m.targets[i]; tg.q == b.queue {
				tg.qos = max(tg.qos, b.sub.QoS)
				tg.rap = tg.rap || b.sub.RetainAsPublished
				tg.free = max(tg.free, b.free.Load())
				tg.ids = joinIDs(tg.ids, b.ids)
				return
			}
		}
	}
	m.targets = append(m.targets, target{q: b.queue, free: b.free.Load(), qos: b.sub.QoS, rap: b.sub.RetainAsPublished, ids: b.ids}) // [MQTT-3.3.4-5]
}

func joinIDs(a, b *[]uint32) *[]uint32 {
	switch {
	case b == nil:
		return a
	case a == nil:
		return b
	}
	both := append(slices.Clone(*a), *b...)
	return &both
}

// Admits tells beforehand what would refuse a message: the right to retain it,
// a store that cannot write, overload, a queue that refuses when full. Such a queue
// must have room for so many messages and bytes, m included: a transaction
// asks for all that it is about to publish before it begins.
func (s *Session) Admits(t *Turn, mt *Match, m *Message, messages int, bytes int64) Reason {
	if reason := t.refusesMessage(m); reason != OK {
		return reason
	}
	if m.Retain && !mt.direct && !s.Permits(ActionRetain, mt.topic) {
		return NotAuthorized
	}
	for i := range mt.targets {
		if !mt.targets[i].q.hasRoom(messages, bytes) {
			return QueueFull
		}
	}
	return OK
}

// Publish gives a message to every queue that mt leads to, and replaces the
// retained message of its topic if it says so. With pending, the publisher is
// answered when Safe reaches seq. NoReceiver is a success that nobody waits
// for; on any other Reason nothing was routed. m may be a Lent.
func (s *Session) Publish(t *Turn, mt *Match, m *Message) (seq uint64, pending bool, reason Reason) {
	return s.PublishIf(t, mt, m, nil)
}

// PublishIf is Publish for a retained message under a condition on the value
// that it replaces (nil when there is none), decided as one with the write.
// When it does not hold, the reason is Precondition.
func (s *Session) PublishIf(t *Turn, mt *Match, m *Message, cond func(old *Message) bool) (seq uint64, pending bool, reason Reason) {
	if s.ns.r.hook != nil {
		m = m.kept()
	}
	m.From = s.st.id
	if t.sampler.counts(1, t.Now) {
		t.accept(m)
	}
	if reason = t.refusesMessage(m); reason != OK {
		return 0, false, reason
	}
	if s.ns.r.hook != nil {
		if reason = s.ns.r.hook.OnPublish(t, s.principal, m); reason != OK {
			return 0, false, reason
		}
	}
	how := retaining{cond: cond}
	if m.Retain && !mt.direct {
		if !s.Permits(ActionRetain, m.Topic) {
			return 0, false, NotAuthorized
		}
		how.owner = owner(s.principal)
		if reason = s.ns.rolesRetain(s.principal, m); reason != OK {
			return 0, false, reason
		}
	}
	durable, reason := s.ns.route(t, mt, m, how)
	if reason != OK && reason != NoReceiver {
		return 0, false, reason
	}
	seq, pending = s.advance(t, durable)
	return seq, pending, reason
}

// publish is for messages that no connection waits for: wills, delayed ones,
// and what the gateway itself says. What it retains counts for owner.
func (ns *Namespace) publish(t *Turn, m *Message, owner string) Reason {
	var mt Match
	mt.topic = m.Topic
	if queue, ok := strings.CutPrefix(m.Topic, queuePrefix); ok {
		q := ns.queue(queue)
		if q == nil {
			ns.r.drop(DropNoReceiver)
			return NoReceiver
		}
		mt.setQueues(q)
	} else {
		ns.match(t, &mt, m.From)
	}
	durable, reason := ns.route(t, &mt, m, retaining{owner: owner})
	if durable {
		t.sync()
	}
	return reason
}

// PublishSystem publishes in a namespace on behalf of the gateway. What is
// retained below "$SYS/" is kept in memory only.
func (r *Router) PublishSystem(t *Turn, namespace string, m *Message) Reason {
	return r.namespace(namespace).publish(t, m, "")
}

// route is the one way of a message to its queues. durable tells that
// something of it must be synced before it is acknowledged.
func (ns *Namespace) route(t *Turn, mt *Match, m *Message, how retaining) (durable bool, reason Reason) {
	r := ns.r
	if m.QoS > 0 && r.failed.Load() { // not in an outage: wills and delayed messages wait for its end
		return false, Unavailable
	}
	for i := range mt.targets {
		if mt.targets[i].q.refuses(t, m) {
			return false, QueueFull
		}
	}
	m.shared = len(mt.targets) > 1
	if m.Retain && !mt.direct { // [MQTT-3.3.1-8] [3: MQTT-3.3.1-12]
		if reason = ns.retain(t, m, how); reason != OK {
			return false, reason
		}
		durable = m.QoS > 0
		if !ns.index.Current(mt.stamp) { // a subscription made meanwhile must see it, live or in its walk
			ns.match(t, mt, m.From)
		}
	}
	logged := 0
	if m.QoS > 0 {
		for i := range mt.targets {
			if tg := &mt.targets[i]; tg.q.durable && tg.qos > 0 {
				logged++
			}
		}
	}
	if logged > 0 || mt.abroad != nil {
		m = m.kept()
	}
	if logged > 1 {
		t.share(m, logged)
	}
	m.sole = m.class != 0 && logged == 0 && !m.Retain && mt.abroad == nil && r.hook == nil && len(mt.targets) == 1 && mt.targets[0].q.kind == sessionQueue
	reached := 0
	for i := range mt.targets { // [MQTT-4.5.0-1] [3: MQTT-4.5.0-1]
		tg := &mt.targets[i]
		if t.carrier != nil && min(m.QoS, tg.qos) == 0 && tg.q.passOver(t, m, tg) {
			reached++
			continue
		}
		m = m.kept()
		if tg.q.push(t, m, tg) {
			reached++
		}
	}
	if logged > 1 {
		t.shareEnds(m)
	}
	durable = durable || logged > 0
	if mt.abroad != nil {
		must, arrived := mt.arrive(t, m)
		durable = durable || must
		if arrived {
			reached++
		}
	}
	switch {
	case reached > 0:
		return durable, OK
	case len(mt.targets) > 0 && mt.direct:
		return false, NotFound // the queue went away meanwhile
	}
	if !system(mt.topic) && !mt.arrives { // nobody misses those
		r.drop(DropNoReceiver)
	}
	return durable, NoReceiver
}
