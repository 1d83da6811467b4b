package core

import (
	"slices"
	"strings"
	"time"

	"github.com/entrepot/entrepot/core/topic"
)

// autoQueueExpiry is how long, unless the client says otherwise, a queue that
// a subscription made stays when it is empty and nobody consumes it.
const autoQueueExpiry = 24 * time.Hour

// Subscribe joins filters to the session's own queue; the same filter again
// replaces its options in place. "$share/GROUP/FILTER" makes the session a
// member of a group, "$queue/NAME" a consumer of a named queue. One Grant per
// subscription is appended to grants. With pending, answer when Safe reaches
// seq; retained messages follow after that by themselves.
func (s *Session) Subscribe(t *Turn, subs []Subscription, grants []Grant) (_ []Grant, seq uint64, pending bool) {
	st := s.st
	durable := false
	var lanes []*lane
	policy := s.ns.r.policy.Load()
	for i := range subs {
		sub := subs[i]
		g := Grant{QoS: sub.QoS}
		switch {
		case strings.HasPrefix(sub.Filter, "$share/"), strings.HasPrefix(sub.Filter, queuePrefix):
			g.Existed, g.Reason = s.join(t, sub)
		default:
			var l *lane
			if g.Existed, l, g.Reason = s.subscribeOwn(t, sub); l != nil {
				lanes = append(lanes, l)
			}
		}
		if g.Reason == OK && s.ns.r.policy.Load() != policy && !s.ns.r.mayHold(s.principal, sub.Filter) { // the rules changed under our hands
			s.unsubscribe(t, sub.Filter)
			lanes = slices.DeleteFunc(lanes, func(l *lane) bool { return l.sub.Filter == sub.Filter })
			g.Reason = s.denies(ActionSubscribe, sub.Filter)
		}
		if g.Reason == OK {
			durable = durable || st.durable
			s.observe(t, EventSubscribed, OK, sub)
		}
		grants = append(grants, g)
	}
	seq, pending = s.advance(t, durable)
	if len(lanes) > 0 {
		hold := uint64(0)
		if pending {
			hold = seq
		}
		st.inbox.walkFor(t, s, hold, lanes)
	}
	return grants, seq, pending
}

func (s *Session) checkSubscribe(sub *Subscription) Reason {
	check := topic.CheckFilter
	if sub.Wide {
		check = topic.CheckWideFilter
	}
	if check(sub.Filter, s.ns.r.topicLimits()) != nil {
		return BadFilter
	}
	if !s.Permits(ActionSubscribe, sub.Filter) {
		return NotAuthorized
	}
	return OK
}

func (s *Session) subscribeOwn(t *Turn, sub Subscription) (existed bool, l *lane, reason Reason) {
	policy := s.ns.r.policy.Load()
	if reason = s.checkSubscribe(&sub); reason != OK {
		return false, nil, reason
	}
	st, most := s.st, s.mostSubscriptions()
	st.mu.Lock()
	defer st.mu.Unlock()
	old := st.subs.get(sub.Filter)
	if old == nil && st.fullOf(sub.Filter, most) {
		return false, nil, st.ns.over(LimitSubscriptions)
	}
	switch {
	case old == nil:
		reason = t.refusesMore(st.durable)
	case st.durable:
		reason = s.ns.r.unwritable()
	}
	if reason != OK {
		return false, nil, reason
	}
	b := newBinding(s.own(), sub)
	st.markFree(b, policy, s.principal)
	st.subs.put(b)
	if old != nil {
		st.ns.index.Replace(sub.Filter, old, b) // [MQTT-3.8.4-3] [MQTT-3.8.4-4] [3: MQTT-3.8.4-3]
	} else {
		st.ns.index.Add(sub.Filter, b)
		st.text += len(sub.Filter)
	}
	if st.durable {
		t.changed(change{kind: subscriptionChange, st: st, text: sub.Filter})
	}
	if sub.RetainHandling == 0 || (sub.RetainHandling == 1 && old == nil) { // [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [3: MQTT-3.3.1-6]
		if l = st.ns.newLane(b); l != nil {
			l.again = old != nil
		}
	}
	return old != nil, l, OK
}

// fullOf tells whether the session may not have one more filter, of so many.
// st.mu is held.
func (st *session) fullOf(filter string, most int) bool {
	return st.subs.len()+len(st.shared()) >= most || st.text+len(filter) > st.ns.limits().SubscriptionBytes
}

// mostSubscriptions is how many filters the session may have.
func (s *Session) mostSubscriptions() int {
	most := s.ns.limits().Subscriptions
	less(&most, s.ns.r.limitsOf(s.principal).Subscriptions)
	return most
}

// join makes the session a member of a group or a consumer of a named queue
// for as long as it lives or until it unsubscribes.
func (s *Session) join(t *Turn, sub Subscription) (existed bool, reason Reason) {
	st, most := s.st, s.mostSubscriptions()
	st.mu.Lock()
	old := st.shared()[sub.Filter]
	quota := old == nil && st.fullOf(sub.Filter, most)
	st.mu.Unlock()
	if quota {
		return false, st.ns.over(LimitSubscriptions)
	}
	if old == nil {
		if reason = t.refusesMore(st.durable); reason != OK {
			return false, reason
		}
	}
	st.mu.Lock()
	s.own() // what is given for good goes through it
	st.mu.Unlock()
	opts := ConsumeOptions{QoS: sub.QoS, ID: sub.ID}
	if old != nil {
		old.queue.mu.Lock()
		old.setOptions(opts)
		old.queue.mu.Unlock()
	} else {
		var c *Consumer
		for reason = NotFound; reason == NotFound; { // a queue that ends at this moment is made anew
			q, found := s.sharedQueue(t, sub)
			if found != OK {
				return false, found
			}
			c, reason = q.addConsumer(t, s, opts, sub.Filter)
		}
		if reason != OK {
			return false, reason
		}
		st.mu.Lock()
		st.share(c)
		st.text += len(sub.Filter)
		st.mu.Unlock()
		s.listReady(c)
		s.sink.Ready(t)
	}
	if st.durable {
		t.changed(change{kind: subscriptionChange, st: st, text: sub.Filter})
	}
	return old != nil, OK
}

// sharedQueue finds or makes the queue that a "$share/" or "$queue/" filter
// names.
func (s *Session) sharedQueue(t *Turn, sub Subscription) (*Queue, Reason) {
	ns := s.ns
	if name, ok := strings.CutPrefix(sub.Filter, queuePrefix); ok {
		if !s.Permits(ActionSubscribe, sub.Filter) {
			return nil, NotAuthorized
		}
		return ns.boundQueue(t, s, name)
	}
	group, filter, _, err := topic.SplitShare(sub.Filter)
	if err != nil || strings.HasPrefix(filter, queuePrefix) || strings.HasPrefix(filter, "$share/") {
		return nil, BadFilter
	}
	sub.Filter = filter
	if reason := s.checkSubscribe(&sub); reason != OK {
		return nil, reason
	}
	if !s.Permits(ActionShare, filter) {
		return nil, NotAuthorized
	}
	return ns.group(t, group, filter, s.st.durable, sub.Wide), OK
}

// JoinGroup makes a consumer of the group's queue that is not part of the
// session's subscriptions and ends with the connection.
func (s *Session) JoinGroup(t *Turn, group, filter string, o ConsumeOptions) (*Consumer, Reason) {
	policy := s.ns.r.policy.Load()
	q, reason := s.sharedQueue(t, Subscription{Filter: "$share/" + group + "/" + filter})
	if reason != OK {
		return nil, reason
	}
	return s.consume(t, q, o, policy)
}

// Unsubscribe ends subscriptions and memberships, one Reason each: OK,
// NotFound or BadFilter. What was queued is still delivered.
// What was sent is completed. [MQTT-3.10.4-3] [3: MQTT-3.10.4-3]
func (s *Session) Unsubscribe(t *Turn, filters []string, out []Reason) (_ []Reason, seq uint64, pending bool) {
	durable := false
	for _, f := range filters {
		r := s.unsubscribe(t, f)
		if r == OK {
			durable = durable || s.st.durable
			s.observe(t, EventUnsubscribed, OK, Subscription{Filter: f})
		}
		out = append(out, r)
	}
	seq, pending = s.advance(t, durable)
	return out, seq, pending
}

func (s *Session) unsubscribe(t *Turn, filter string) Reason {
	st := s.st
	st.mu.Lock()
	b, c := st.subs.get(filter), st.shared()[filter]
	st.subs.remove(filter)
	delete(st.shared(), filter)
	if b != nil || c != nil {
		st.text -= len(filter)
	}
	if st.durable && (b != nil || c != nil) {
		t.changed(change{kind: subscriptionChange, st: st, text: filter})
	}
	st.mu.Unlock()
	switch {
	case b != nil:
		st.ns.index.Remove(filter, b) // [MQTT-3.10.4-2] [3: MQTT-3.10.4-2]
		st.inbox.stopWalk(t, filter)
		return OK
	case c != nil:
		s.retire(t, c)
		return OK
	}
	return badOrMissing(filter, s.ns.r.topicLimits())
}

func badOrMissing(filter string, l topic.Limits) Reason {
	if strings.HasPrefix(filter, "$share/") {
		if _, _, _, err := topic.SplitShare(filter); err != nil {
			return BadFilter
		}
		return NotFound
	}
	if topic.CheckFilter(filter, l) != nil {
		return BadFilter
	}
	return NotFound
}

// Subscribed tells whether the session has the filter, byte for byte.
func (s *Session) Subscribed(filter string) bool {
	st := s.st
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.subs.get(filter) != nil || st.shared()[filter] != nil
}

// Subscriptions lists the session's filters with their options, in no order.
func (s *Session) Subscriptions() []Subscription {
	st := s.st
	st.mu.Lock()
	defer st.mu.Unlock()
	all := make([]Subscription, 0, st.subs.len()+len(st.shared()))
	for b := range st.subs.all() {
		all = append(all, b.sub)
	}
	for f, c := range st.shared() {
		all = append(all, Subscription{Filter: f, QoS: c.opts.QoS, ID: c.opts.ID})
	}
	return all
}
