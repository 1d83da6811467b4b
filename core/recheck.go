package core

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/entrepot/entrepot/core/topic"
)

// rechecks is the walk over what exists after the rules have changed.
type rechecks struct {
	stopping atomic.Bool
	done     sync.WaitGroup

	// Guarded by mu.
	mu      sync.Mutex
	walking bool
}

// recheckSlice is how many subscriptions one turn of the walk looks at.
const recheckSlice = 256

// Recheck says that the authorizer's rules have changed, after they have. No
// decision of before counts any more; a walk of its own then removes what
// connected clients may not have: subscriptions end, consumers are closed with
// NotAuthorized. Sessions that are away are looked at when they come back.
func (r *Router) Recheck() {
	if r.auth == nil {
		return
	}
	w := &r.rechecks
	w.mu.Lock()
	defer w.mu.Unlock()
	r.open.Store(isOpen(r.auth))
	r.meters()
	r.policy.Add(1)
	r.routes.Add(1)
	if !w.walking && !w.stopping.Load() {
		w.walking = true
		w.done.Go(r.recheck)
	}
}

// stop ends the walk, and no other begins.
func (w *rechecks) stop() {
	w.mu.Lock()
	w.stopping.Store(true)
	w.mu.Unlock()
	w.done.Wait()
}

// recheck walks until it has seen everything under one set of rules. Changes
// that come meanwhile do not begin it anew before its end, so that however often
// they come, each subscription's turn comes.
func (r *Router) recheck() {
	t := r.NewTurn(nil)
	defer t.End()
	w := &r.rechecks
	for again := true; again; {
		policy := r.policy.Load()
		n := 0
		for _, ns := range r.allNamespaces() {
			for q := range ns.watched {
				if w.stopping.Load() {
					return
				}
				q.recheck(t)
				if n++; n%recheckSlice == 0 {
					t.End()
					runtime.Gosched()
					t.Begin()
				}
			}
		}
		t.End()
		t.Begin()
		r.routes.Add(1) // publishers see the marks of now
		w.mu.Lock()
		again = r.policy.Load() != policy
		w.walking = again
		w.mu.Unlock()
	}
}

// watched walks the queues of all subscriptions, as often as they have some, and
// the named ones.
func (ns *Namespace) watched(yield func(*Queue) bool) {
	for _, b := range ns.index.Filters() {
		if b.queue.kind != namedQueue && !yield(b.queue) {
			return
		}
	}
	ns.mu.Lock()
	named := slices.Collect(maps.Values(ns.queues))
	ns.mu.Unlock()
	for _, q := range named {
		if !yield(q) {
			return
		}
	}
}

// mayHold asks for the right to have a subscription, by the text subscribed with.
func (r *Router) mayHold(p *Principal, text string) bool {
	if _, filter, shared, err := topic.SplitShare(text); shared && err == nil {
		return r.allows(p, ActionSubscribe, filter) && r.allows(p, ActionShare, filter)
	}
	return r.allows(p, ActionSubscribe, text)
}

// recheck asks again for whoever takes from the queue.
func (q *Queue) recheck(t *Turn) {
	if q.kind == sessionQueue {
		q.own.recheck(t)
		return
	}
	q.mu.Lock()
	consumers := slices.Clone(q.consumers)
	texts := []string{q.spec.Name}
	switch q.kind {
	case namedQueue:
		texts[0] = queuePrefix + q.spec.Name
	case privateQueue:
		texts = nil
		for b := range q.bindings.all() {
			texts = append(texts, b.sub.Filter)
		}
	}
	q.mu.Unlock()
	for _, c := range consumers {
		if c.filter != "" {
			c.member.recheck(t)
			continue
		}
		who := c.member.principal.Load()
		for _, text := range texts {
			if !q.ns.r.mayHold(who, text) {
				c.member.logDenied("recheck", text)
				c.revoke(t)
				break
			}
		}
	}
	q.mu.Lock()
	woken := q.wakeNext() // somebody may read now what nobody could
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
}

// revoke closes a consumer with NotAuthorized. What it holds goes to others; a
// private queue ends.
func (c *Consumer) revoke(t *Turn) {
	q := c.queue
	q.mu.Lock()
	s := c.session
	if q.gone || s == nil || c.closed != OK {
		q.mu.Unlock()
		return
	}
	c.closed = NotAuthorized
	woken := q.detach(t, c)
	c.session = s // until it has seen that it is closed
	q.drop(c)
	if next := q.wakeNext(); next != nil {
		woken = append(woken, next)
	}
	q.exclusive = q.exclusive && len(q.consumers) > 0
	last := q.unused()
	q.lostOne(t, last)
	q.touch(t)
	q.mu.Unlock()
	notifyAll(t, woken)
	c.notify(t)
	if last {
		q.lostItsLast(t)
	}
}

// verdict is what the rules say of one subscription of a session.
type verdict struct {
	own    *binding  // or
	member *Consumer // of a shared queue
	allow  bool
	free   bool
}

// subscriptions lists what a session has. st.mu is held.
func (st *session) subscriptions() []verdict {
	all := make([]verdict, 0, st.subs.len()+len(st.shared()))
	for b := range st.subs.all() {
		all = append(all, verdict{own: b})
	}
	for _, c := range st.shared() {
		all = append(all, verdict{member: c})
	}
	return all
}

func (v *verdict) text() string {
	if v.own != nil {
		return v.own.sub.Filter
	}
	return v.member.filter
}

func (v *verdict) ask(r *Router, who *Principal) {
	v.allow = r.mayHold(who, v.text())
	v.free = v.allow && v.own != nil && r.free(who, v.text())
}

// apply takes away what is not allowed, and returns what is to follow under no
// lock. st.mu is held.
func (st *session) apply(t *Turn, list []verdict, policy uint64, who *Principal) (denied []verdict) {
	mark := st.inbox.remark(policy, who)
	for _, v := range list {
		text := v.text()
		switch {
		case v.own != nil && st.subs.get(text) != v.own, v.member != nil && st.shared()[text] != v.member: // it has gone
			continue
		case v.free:
			v.own.free.Store(mark)
			continue
		case v.allow:
			if v.own != nil {
				v.own.free.Store(0)
			}
			continue
		case v.own != nil:
			st.subs.remove(text)
			st.ns.index.Remove(text, v.own)
			st.inbox.stopWalk(t, text)
		default:
			delete(st.shared(), text)
		}
		if st.durable {
			t.changed(change{kind: subscriptionChange, st: st, text: text})
		}
		denied = append(denied, v)
	}
	return denied
}

// recheck asks again for the subscriptions of a session that is connected.
func (st *session) recheck(t *Turn) {
	r := st.ns.r
	if r.open.Load() {
		return
	}
	policy := r.policy.Load()
	st.mu.Lock()
	s, who := st.current, st.principal.Load()
	if st.ended || s == nil || st.inbox == nil || st.inbox.judged(policy, who) { // no queue, no subscription
		st.mu.Unlock()
		return
	}
	list := st.subscriptions()
	st.mu.Unlock()
	for i := range list {
		list[i].ask(r, who)
	}
	st.mu.Lock()
	if st.ended || st.current != s || st.principal.Load() != who { // who came asks, or has asked
		st.mu.Unlock()
		return
	}
	denied := st.apply(t, list, policy, who)
	st.mu.Unlock()
	s.withdraw(t, "recheck", denied)
	if len(denied) > 0 { // a room may tell its client
		s.sink.Ready(t)
	}
}

// resume asks again for the subscriptions of a session that is being attached.
// st.mu is held.
func (st *session) resume(t *Turn, s *Session) {
	r, who := st.ns.r, s.principal
	if r.open.Load() {
		return
	}
	policy := r.policy.Load()
	if st.inbox.judged(policy, who) {
		return
	}
	list := st.subscriptions()
	for i := range list {
		list[i].ask(r, who)
	}
	if denied := st.apply(t, list, policy, who); len(denied) > 0 {
		s.more().denied = denied
	}
}

// withdraw follows the removal of subscriptions. Under no lock.
func (s *Session) withdraw(t *Turn, action string, denied []verdict) {
	for i := range denied {
		if c := denied[i].member; c != nil {
			s.ns.leave(t, c)
		}
		s.st.logDenied(action, denied[i].text())
		s.observe(t, EventUnsubscribed, OK, Subscription{Filter: denied[i].text()})
	}
}

func (st *session) logDenied(action, filter string) {
	r, who := st.ns.r, st.principal.Load()
	asked, name := ActionSubscribe, filter
	if _, behind, shared, err := topic.SplitShare(filter); shared && err == nil {
		if name = behind; r.allows(who, asked, name) {
			asked = ActionShare
		}
	}
	r.log.Info("acl.denied", "action", action, "namespace", st.ns.name, "user", st.principal.Load().User, "client", st.client,
		"topic", filter, "rule", &refusal{r, who, asked, name})
}
