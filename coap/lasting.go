package coap

import (
	"slices"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// lasting is what an identity has whose session outlives its connection: one that was made with clean=false (N1). Its
// observations are subscriptions of the session (O20), and what they get comes by the session's own queue, which goes on
// filling when the connection is lost (N8). Who is back registers again, and gets what has waited for each filter in order.
type lasting struct {
	subs    []*kept
	lastID  uint32
	held    int // deliveries in the waits of subs
	more    bool
	grace   core.Time      // until then nothing is dropped of what is not observed again
	moved   []*observation // come from the address before
	session *core.Session
}

// kept is one subscription of such a session.
type kept struct {
	filter string
	id     uint32
	o      *observation    // nil: not registered, or not again yet
	waits  []core.Delivery // taken, in order, not sent
}

// maxSubscriptionID is the highest identifier that a subscription may have (MQTT 5, section 3.8.2.1.2).
const maxSubscriptionID = 268_435_455

// resume finds the subscriptions of a session that is attached, and links the observations that came along.
func (l *lasting) resume(t *core.Turn, p *peer, id *identity) {
	s := id.session
	l.session, l.grace, l.more = s, p.ep.cfg.patience(t.Now), true
	for _, sub := range s.Subscriptions() {
		l.subs = append(l.subs, &kept{filter: sub.Filter, id: sub.ID})
		l.lastID = max(l.lastID, sub.ID)
	}
	for _, o := range l.moved {
		if sub := l.find(o.filter); sub != nil && sub.o == nil && p.mayObserve() && p.observing(o.token) == nil {
			o.who, o.kept, sub.o = id, sub, o
			p.enter(o, t.Now)
			p.queueUp(o)
		}
	}
	l.moved = nil
}

// find is the subscription of a filter.
func (l *lasting) find(filter string) *kept {
	for _, sub := range l.subs {
		if sub.filter == filter {
			return sub
		}
	}
	return nil
}

// subscribe joins an observation to the session. The registration is answered when seq is safe. kept stays nil, and so
// nothing outlives the connection, where another observation has the filter: the session has each once.
func (l *lasting) subscribe(t *core.Turn, o *observation, noLocal bool) (seq uint64, pending bool, reason core.Reason) {
	sub := l.find(o.filter)
	if sub != nil && sub.o != nil {
		return 0, false, core.OK
	}
	if sub == nil {
		sub = &kept{filter: o.filter}
	} else {
		o.resumed, o.since = true, l.session.Inbox().Newest()
	}
	if sub.id == 0 || l.shares(sub) { // made by another protocol
		if sub.id = l.lastID + 1; sub.id > maxSubscriptionID {
			return 0, false, core.Quota
		}
	}
	var one [1]core.Grant
	grants, seq, pending := l.session.Subscribe(t, []core.Subscription{{
		Filter: o.filter, QoS: o.qos, NoLocal: noLocal, RetainAsPublished: true, ID: sub.id,
		RetainHandling: 2, // the walk of the room sends them in topic order
	}}, one[:0])
	if reason = grants[0].Reason; reason != core.OK {
		return 0, false, reason
	}
	l.lastID = max(l.lastID, sub.id)
	if !o.resumed {
		l.subs = append(l.subs, sub)
	}
	o.kept, sub.o = sub, o
	return seq, pending, core.OK
}

// shares tells whether another subscription has the same identifier.
func (l *lasting) shares(sub *kept) bool {
	for _, x := range l.subs {
		if x != sub && x.id == sub.id {
			return true
		}
	}
	return false
}

// leave takes an observation off its subscription, which goes on, or ends with it: then what has waited is nobody's.
func (l *lasting) leave(t *core.Turn, o *observation, ends bool) {
	sub := o.kept
	o.kept, sub.o = nil, nil
	l.held -= len(sub.waits)
	l.more = true
	for i := range sub.waits {
		d := &sub.waits[i]
		switch {
		case ends:
			done(t, d)
		case d.QoS > 0 && d.Consumer != nil: // with what was on its way, so that all comes again in order
			d.Consumer.Settle(t, d.Seq, core.Released)
		}
	}
	if sub.waits = nil; !ends {
		return
	}
	l.session.Unsubscribe(t, []string{sub.filter}, nil)
	for i, x := range l.subs {
		if x == sub {
			l.subs = append(l.subs[:i], l.subs[i+1:]...)
			break
		}
	}
}

// release gives back a delivery that was taken for an observation that has ended
// meanwhile, or settles it with the subscription.
func (l *lasting) release(t *core.Turn, sub *kept, d *core.Delivery) {
	switch {
	case !slices.Contains(l.subs, sub):
		done(t, d)
	case d.QoS > 0 && d.Consumer != nil:
		d.Consumer.Settle(t, d.Seq, core.Released)
	}
}

// done settles a delivery that nobody is told of.
func done(t *core.Turn, d *core.Delivery) {
	if d.QoS > 0 && d.Consumer != nil {
		d.Consumer.Settle(t, d.Seq, core.Accepted)
	}
}

// fill takes what the session's queue has, as far as observe_queue lets it be held here, and sorts it by subscription. What
// waits for a filter that is not observed holds the rest up until the grace is over; then the oldest of it is dropped.
func (l *lasting) fill(t *core.Turn, p *peer) {
	most := p.ep.cfg.ObserveQueue
	if p.ep.batch == nil {
		p.ep.batch = make([]core.Delivery, 0, takeAtOnce)
	}
	for l.more {
		room := min(most-l.held, takeAtOnce)
		if room <= 0 {
			if t.Now < l.grace || l.session.Inbox().Waiting() == 0 || !l.dropOldest(t, p) {
				return
			}
			continue
		}
		ds := l.session.Inbox().Take(t, p.ep.batch[:0:room], room)
		l.more = len(ds) == room
		for i := range ds {
			l.sort(t, p, &ds[i])
		}
		clear(ds)
	}
}

// sort gives a delivery to the subscription that it came by. One that the session does not have any more is settled.
func (l *lasting) sort(t *core.Turn, p *peer, d *core.Delivery) {
	found := false
	for _, sub := range l.subs {
		if !sub.takes(d) {
			continue
		}
		x := *d
		if found { // one copy for several, as other protocols have it: the first settles it
			x.Consumer = nil
		}
		found = true
		sub.put(x)
		l.held++
		if sub.o != nil {
			p.queueUp(sub.o)
		}
	}
	if !found {
		done(t, d)
	}
}

// takes tells whether a delivery came by the subscription.
func (k *kept) takes(d *core.Delivery) bool {
	if len(d.IDs) == 0 || k.id == 0 {
		return topic.Matches(k.filter, d.Message.Topic)
	}
	for _, id := range d.IDs {
		if id == k.id {
			return true
		}
	}
	return false
}

// dropOldest drops one delivery for a filter that is not observed; false: there is none.
func (l *lasting) dropOldest(t *core.Turn, p *peer) bool {
	var oldest *kept
	for _, sub := range l.subs {
		if sub.o == nil && len(sub.waits) > 0 && (oldest == nil || sub.waits[0].Seq < oldest.waits[0].Seq) {
			oldest = sub
		}
	}
	if oldest == nil {
		return false
	}
	d := oldest.pop()
	l.held--
	done(t, &d)
	p.ep.room.host.Metrics.Dropped(Protocol, "queue_full")
	return true
}

// put adds a delivery in its place: one that was given back comes again behind later ones.
func (k *kept) put(d core.Delivery) {
	i := len(k.waits)
	for i > 0 && k.waits[i-1].Seq > d.Seq {
		i--
	}
	k.waits = slices.Insert(k.waits, i, d)
}

func (k *kept) pop() core.Delivery {
	d := k.waits[0]
	k.waits[0] = core.Delivery{}
	if k.waits = k.waits[1:]; len(k.waits) == 0 {
		k.waits = nil
	}
	return d
}

// take is Consumer.Take for an observation of such a session.
func (l *lasting) take(t *core.Turn, p *peer, o *observation, into []core.Delivery, window int) []core.Delivery {
	l.fill(t, p)
	for sub := o.kept; len(into) < cap(into) && len(sub.waits) > 0; l.held-- {
		if sub.waits[0].QoS > 0 {
			if window == 0 {
				break
			}
			window--
		}
		into = append(into, sub.pop())
	}
	return into
}

// collectLasting sends what the queue of such a session has.
func (p *peer) collectLasting(t *core.Turn, l *lasting, out *adapters.Output) {
	for {
		l.fill(t, p)
		held := l.held
		for _, o := range append([]*observation(nil), p.observations...) {
			if o.kept != nil && o.who.lasting == l && len(o.kept.waits) > 0 {
				p.pump(t, o, out)
			}
		}
		if l.held == held || out.Full() {
			return
		}
	}
}

// checkRights ends the observations whose subscription was taken away (SECURITY Z9).
func (p *peer) checkRights(t *core.Turn, l *lasting, out *adapters.Output) {
	for _, o := range append([]*observation(nil), p.observations...) {
		if o.kept != nil && o.who.lasting == l && !l.session.Subscribed(o.filter) {
			l.leave(t, o, true)
			p.final(t, o, message.Forbidden, out)
		}
	}
}

// follow takes the observations of a lasting session along to another address of its client (N5).
func (l *lasting) follow(t *core.Turn, from *peer, old *identity) {
	for i := len(from.observations) - 1; i >= 0; i-- {
		o := from.observations[i]
		if o.who != old || o.kept == nil {
			continue
		}
		from.remove(t, o)
		l.moved = append(l.moved, &observation{
			token: o.token, key: o.key, filter: o.filter, since: o.since, after: o.after, accept: o.accept, seq: o.seq, qos: o.qos,
			env: o.env, exact: o.exact, walking: o.walking, begun: o.begun,
		})
	}
}

// stalled tells that the grace decides when the queue is gone on with.
func (l *lasting) stalled(p *peer, now core.Time) bool {
	return l.more && l.session != nil && l.held >= p.ep.cfg.ObserveQueue && now < l.grace
}

// goOn goes on with the queues whose grace is over.
func (p *peer) goOn(t *core.Turn, out *adapters.Output) {
	for _, id := range p.identities {
		if l := id.lasting; l != nil && l.more && id.state == ready && t.Now >= l.grace {
			p.collectLasting(t, l, out)
		}
	}
}

// registered answers a registration when its subscription is safe.
type registered struct {
	accepted
	p *peer
	o *observation
}

func (x *registered) cancel(t *core.Turn) {
	if !x.o.gone {
		x.p.drop(t, x.o, "cancel")
	}
}

func (x *registered) poll(t *core.Turn, p *peer, r *response) bool {
	if !x.accepted.poll(t, p, r) {
		return false
	}
	if r.opens == nil && !x.o.gone { // it could not be stored
		p.drop(t, x.o, "cancel")
	}
	return true
}
