package core

import (
	"hash/maphash"
	"maps"
	"slices"
)

// An Authorizer is asked often: before each delivery, and for each topic that a
// publisher turns to. What it says holds until Router.Recheck, so it is kept: as
// a mark on the entries of a queue whose filter may be read as a whole, and else
// by topic, for each consumer and each publisher. Who reads a generation does so
// before it asks, so that an answer is never taken for one of later rules.

// Opener is an Authorizer that may have nothing to decide: while Open says so,
// everybody may do everything, and nothing is asked.
type Opener interface{ Open() bool }

// Freer is an Authorizer that can tell that every topic which a filter matches
// may be read, so that deliveries through it need no look.
type Freer interface {
	Free(p *Principal, filter string) bool
}

func isOpen(a Authorizer) bool {
	if a == nil {
		return true
	}
	o, ok := a.(Opener)
	return ok && o.Open()
}

func (r *Router) allows(p *Principal, a Action, topic string) bool {
	return r.open.Load() || r.auth.Authorize(p, a, topic)
}

func (r *Router) free(p *Principal, filter string) bool {
	return r.freer != nil && r.freer.Free(p, filter)
}

// sameRights tells that two logins cannot be told apart by any rule.
func sameRights(a, b *Principal) bool {
	return a == b || a != nil && a.Namespace == b.Namespace && a.User == b.User && a.Method == b.Method &&
		a.ClientID == b.ClientID && a.OwnsID == b.OwnsID && slices.Equal(a.Roles, b.Roles) && maps.Equal(a.Attrs, b.Attrs)
}

// Bounds of what is kept by topic.
const (
	firstDecisions     = 8
	deliverDecisions   = 1024 // of a consumer
	publishDecisions   = 64   // of a publisher's connection
	longestKeptDecided = 512  // bytes of a topic
)

// decisions are what was decided about the topics that came last.
type decisions struct {
	policy uint64
	slots  []decision // length 0 or a power of two
	lost   int        // since the last growth
}

type decision struct {
	topic string // "": free
	allow bool
}

var decisionSeed = maphash.MakeSeed()

func (d *decisions) slot(topic string) *decision {
	return &d.slots[maphash.String(decisionSeed, topic)&uint64(len(d.slots)-1)]
}

func (d *decisions) find(policy uint64, topic string) (allow, known bool) {
	if d.policy != policy || len(d.slots) == 0 {
		return false, false
	}
	x := d.slot(topic)
	return x.allow, x.topic == topic && topic != ""
}

func (d *decisions) keep(policy uint64, topic string, allow bool, most int) {
	switch {
	case len(topic) > longestKeptDecided:
		return
	case d.policy != policy || len(d.slots) == 0:
		*d = decisions{policy: policy, slots: make([]decision, firstDecisions)}
	case d.lost >= len(d.slots) && len(d.slots) < most:
		old := d.slots
		*d = decisions{policy: policy, slots: make([]decision, 2*len(old))}
		for _, x := range old {
			*d.slot(x.topic) = x
		}
	}
	x := d.slot(topic)
	if x.topic != "" {
		d.lost++
	}
	*x = decision{topic, allow}
}

// mayPublish asks for the right to publish to a topic.
func (s *Session) mayPublish(name string) bool {
	r := s.ns.r
	if r.open.Load() {
		return true
	}
	policy := r.policy.Load()
	x := s.more()
	if x.may == nil {
		x.may = new(decisions)
	}
	allow, known := x.may.find(policy, name)
	if !known {
		allow = r.auth.Authorize(s.principal, ActionPublish, name)
		x.may.keep(policy, name, allow, publishDecisions)
	}
	return allow
}

// readRights is what is known of whom a consumer takes for.
type readRights struct {
	policy uint64
	who    *Principal
	free   bool // whatever the queue holds
	decisions
}

// mayRead asks whether the entry may be delivered. queue.mu is held.
func (c *Consumer) mayRead(e *entry) bool { return c.mayReadTopic(e.m.Topic, e.free) }

// mayReadTopic is mayRead for a topic; free is the mark of the subscription that
// it came by.
func (c *Consumer) mayReadTopic(topic string, free uint32) bool {
	r := c.queue.ns.r
	if r.open.Load() {
		return true
	}
	k := c.judge()
	if k.free || free != 0 && c.queue.frees.holds(free, k.policy, k.who) {
		return true
	}
	allow, known := k.find(k.policy, topic)
	if !known {
		allow = r.auth.Authorize(k.who, ActionDeliver, topic)
		k.keep(k.policy, topic, allow, deliverDecisions)
	}
	return allow
}

// judge is what is known under the rules of now. queue.mu is held.
func (c *Consumer) judge() *readRights {
	r, k := c.queue.ns.r, c.rights
	policy, who := r.policy.Load(), c.member.principal.Load()
	if k != nil && k.policy == policy && k.who == who {
		return k
	}
	k = &readRights{policy: policy, who: who}
	if q := c.queue; q.kind == privateQueue || q.kind == groupQueue { // what they hold came by filters that do not change
		k.free = q.bindings.len() > 0
		for b := range q.bindings.all() {
			k.free = k.free && r.free(who, b.sub.Filter)
		}
	}
	c.rights = k
	return k
}

// readsAll tells that no message of the queue need be looked at. queue.mu is
// held.
func (c *Consumer) readsAll() bool { return c.queue.ns.r.open.Load() || c.judge().free }

// frees says which mark of a session's queue holds, and for whom and under
// which rules. A mark that is another is of earlier ones, and counts for nothing.
type frees struct {
	mark   uint32
	policy uint64
	who    *Principal
}

func (f *frees) holds(mark uint32, policy uint64, who *Principal) bool {
	return f != nil && f.mark == mark && f.policy == policy && f.who == who
}

// judged tells that the session's subscriptions were looked at under these
// rules, for somebody with these rights, who is who from now on.
func (q *Queue) judged(policy uint64, who *Principal) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	f := q.frees
	if f == nil || f.policy != policy || !sameRights(f.who, who) {
		return false
	}
	f.who = who
	return true
}

// remark makes a new mark, which the subscriptions that may be read as a whole
// get; every earlier one is void.
func (q *Queue) remark(policy uint64, who *Principal) (mark uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	mark = 1
	if q.frees != nil {
		mark = max(1, q.frees.mark+1)
	}
	q.frees = &frees{mark, policy, who}
	return mark
}

// markFree gives a new subscription the mark that holds, if it may be read as a
// whole. st.mu is held.
func (st *session) markFree(b *binding, policy uint64, who *Principal) {
	r, q := st.ns.r, b.queue
	if r.open.Load() || !r.free(who, b.sub.Filter) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if f := q.frees; f != nil && f.policy == policy && f.who == who {
		b.free.Store(f.mark)
	}
}
