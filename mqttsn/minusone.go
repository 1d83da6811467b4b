package mqttsn

import (
	"bytes"
	"context"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// minusOne publishes what comes with QoS -1 from addresses without a session
// (section 6.8; P8). All of them are one principal, qos_m1_client; but whoever
// DTLS has proven to be somebody is that one (SECURITY U1).
type minusOne struct {
	// Immutable.
	e      *endpoint
	handle adapters.PeerHandle
	secure *adapters.Association // that proves who it is; nil: qos_m1_client

	// Owned by the loop.
	login   *adapters.Login
	ends    core.Time // of the login; 0: never
	session *core.Session
	refused core.Reason // the login failed; asked again at retry
	retry   core.Time
	held    []heldPublish // while the login is under way
}

type heldPublish struct {
	from   origin
	kind   packet.TopicKind
	id     uint16
	topic  string
	data   []byte
	retain bool
}

const (
	maxHeld    = 64
	maxHeldOne = 8 // of one association
	loginAgain = 10 * time.Second
)

var _ adapters.Driven = (*minusOne)(nil)

func newMinusOne(e *endpoint, a *adapters.Association) *minusOne {
	o := &minusOne{e: e, secure: a}
	o.handle = e.loop.Handle(o)
	return o
}

// minusOne is who publishes with QoS -1 from there.
func (e *endpoint) minusOne(from origin) *minusOne {
	if !from.secure.Proves() {
		return e.anonymous
	}
	o := e.proven[from.secure]
	if o == nil {
		o = newMinusOne(e, from.secure)
		e.proven[from.secure] = o
	}
	return o
}

// publish takes a QoS -1 PUBLISH. The datagram is valid during the call only.
func (o *minusOne) publish(t *core.Turn, from origin, q packet.Publish, out *adapters.Output) {
	h := heldPublish{from: from, kind: q.Kind, id: q.TopicID, data: q.Data, retain: q.Retain}
	c := packet.NotSupported // P7, or switched off
	if o.e.cfg.QoSMinusOne == "on" {
		h.topic, h.data, c = o.resolve(q)
	}
	switch {
	case c != packet.Accepted:
		o.refuse(t.Now, h, c, out)
	case !o.ready(t):
		why := o.refused
		if o.login != nil {
			if len(o.held) < o.maxHeld() {
				h.data = bytes.Clone(h.data)
				o.held = append(o.held, h)
				return
			}
			why = core.Quota
		}
		o.refuse(t.Now, h, o.e.refusal(why), out)
	default:
		o.route(t, h, out)
	}
}

func (o *minusOne) maxHeld() int {
	if o.secure != nil {
		return maxHeldOne
	}
	return maxHeld
}

func (o *minusOne) resolve(q packet.Publish) (topic string, data []byte, c packet.Code) {
	switch q.Kind {
	case packet.Predefined:
		if name, ok := o.e.common.names[q.TopicID]; ok {
			return name, q.Data, packet.Accepted
		}
		return "", nil, packet.InvalidTopicID
	case packet.Short:
		return string([]byte{byte(q.TopicID >> 8), byte(q.TopicID)}), q.Data, packet.Accepted
	case packet.Normal:
		if name, data, ok := q.LongName(); ok && *o.e.cfg.LongNameQoSM1 {
			return string(name), data, packet.Accepted
		}
		return "", nil, packet.InvalidTopicID
	}
	return "", nil, packet.NotSupported
}

// ready tells that there is a session to publish with, and sees to it that
// there will be.
func (o *minusOne) ready(t *core.Turn) bool {
	if o.session != nil && o.ends != 0 && t.Now >= o.ends {
		o.detach(t, core.LoginExpired)
	}
	if o.session != nil {
		return true
	}
	if o.login == nil && t.Now >= o.retry {
		o.login = o.e.room.host.Login(context.Background(), o.credentials(), o.handle)
	}
	o.progress(t)
	return o.session != nil
}

func (o *minusOne) credentials() adapters.Credentials {
	c := adapters.Credentials{Protocol: Name, Listener: o.e.listener}
	if o.secure == nil {
		c.Device = o.e.cfg.QoSM1Client
		return c
	}
	c.Addr = o.secure.Remote.String()
	o.secure.Show(&c)
	return c
}

func (o *minusOne) progress(t *core.Turn) {
	if o.login == nil {
		return
	}
	principal, r, done := o.login.Result()
	if !done {
		return
	}
	o.login = nil
	if r == core.OK {
		client := core.Client{Principal: principal, Protocol: Name, Clean: true}
		o.ends = principal.Ends(t.Clock())
		o.session, r = o.e.room.host.Router.Attach(t, client, o.handle)
	}
	if r != core.OK {
		o.session, o.refused, o.retry = nil, r, t.Now.After(loginAgain)
	}
}

func (o *minusOne) route(t *core.Turn, h heldPublish, out *adapters.Output) {
	if o.session.Hurries(t, len(h.data)) || o.handle.Hurries(len(h.data)) { // L22: all who have no session are one
		o.e.metrics.minusOne("refused")
		o.e.metrics.set.Dropped(Name, "rate")
		return
	}
	match, r := o.session.Route(t, []byte(h.topic))
	if r == core.OK && (match.Any() || h.retain) {
		m := core.NewMessage(h.data)
		m.Topic, m.Retain, m.Origin = match.Topic(), h.retain, Name
		_, _, r = o.session.Publish(t, match, m)
	}
	if r.Err() != nil {
		o.refuse(t.Now, h, o.e.refusal(r), out)
		return
	}
	o.e.metrics.traffic.Count(t, adapters.In, 0, len(h.data))
	o.e.metrics.minusOne("accepted")
}

// refuse answers what is not published, as qos_m1_refusal says.
func (o *minusOne) refuse(now core.Time, h heldPublish, c packet.Code, out *adapters.Output) {
	o.e.metrics.minusOne("refused")
	if o.e.cfg.QoSM1Refusal == "silent" || !o.e.unsolicited(now, h.from, "puback") {
		return
	}
	o.e.metrics.refused(packet.PUBACK, c)
	answer(o.e, h.from, packet.TopicAck{Of: packet.PUBACK, TopicID: h.id, Code: c}, out)
}

// Wake goes on when the login has ended.
func (o *minusOne) Wake(t *core.Turn, out *adapters.Output) {
	o.progress(t)
	if o.login != nil {
		return
	}
	held := o.held
	o.held = nil
	for _, h := range held {
		if o.session != nil {
			o.route(t, h, out)
		} else {
			o.refuse(t.Now, h, o.e.refusal(o.refused), out)
		}
	}
}

// Tick is not used.
func (o *minusOne) Tick(*core.Turn, *adapters.Output) {}

// Evict ends the session; the next publish logs in again.
func (o *minusOne) Evict(t *core.Turn, r core.Reason, _ *adapters.Output) {
	o.close(t, r)
	o.handle = o.e.loop.Handle(o)
}

func (o *minusOne) detach(t *core.Turn, r core.Reason) {
	if o.session != nil {
		o.session.Detach(t, r)
		o.session = nil
	}
}

func (o *minusOne) close(t *core.Turn, r core.Reason) {
	o.detach(t, r)
	o.handle.Ended(r)
}
