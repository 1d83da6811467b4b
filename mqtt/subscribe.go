package mqtt

import (
	"bytes"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

var (
	errNoLocalShared = &packet.Error{Code: packet.ProtocolError, Rule: "MB4 No Local on a shared subscription"}
	errFilter31      = &packet.Error{Code: packet.MalformedPacket, Rule: "MM26 invalid topic filter"}
	errDenied31      = &packet.Error{Code: packet.NotAuthorized, Rule: "MB6 subscription is not allowed"}
)

const (
	sharePrefix = "$share/"
	queuePrefix = "$queue/"
)

// toSubscribe marks the place of a code that core is to give.
const toSubscribe = 0xff

// filterChunk is how many filters of one packet core gets at a time, so that a
// packet of 16 MiB costs no multiple of itself in memory.
const filterChunk = 1024

// [MQTT-3.8.4-5] [3: MQTT-3.8.4-4]
func (c *conn) onSubscribe(t *core.Turn, sc *scratch, body []byte, out *adapters.Output) error {
	p := &sc.subscribe
	if err := p.Parse(&c.room.rules, c.version, 2, body); err != nil {
		return err
	}
	n, err := c.checkFilters(p)
	if err != nil {
		return err
	}
	a := answer{kind: packet.SUBACK, id: p.ID, codes: make([]byte, 0, n)}
	if c.version >= packet.V5 && c.inUse(p.ID) { // [MQTT-2.2.1-3]
		a.codes = allOf(a.codes[:n], packet.PacketIdentifierInUse)
		c.write(t, out, a)
		return nil
	}
	var s subscribing
	w := c.who()
	for filter, o := range p.All() {
		filter = c.room.rewriteFilter(filter, w)
		if code := c.unavailable(filter); code != 0 {
			if a.text == "" {
				a.text = "MB6 this kind of subscription is not available"
			}
			granted, err := c.unserved(code, o.QoS())
			if err != nil {
				return err
			}
			a.codes = append(a.codes, granted)
			continue
		}
		sc.subs = append(sc.subs, c.subscription(p, filter, o))
		a.codes = append(a.codes, toSubscribe)
		if len(sc.subs) == filterChunk {
			if err := c.subscribe(t, sc, &a, &s); err != nil {
				return err
			}
		}
	}
	if err := c.subscribe(t, sc, &a, &s); err != nil {
		return err
	}
	c.freed = c.freed || !s.pending              // what is retained leaves with the SUBACK
	c.answerFilters(t, out, s.seq, s.pending, a) // [MQTT-3.8.4-1] [MQTT-3.8.4-6] [MQTT-3.8.4-2] [3: MQTT-3.8.4-1] [3: MQTT-3.8.4-2]
	return nil
}

// subscribing is how far a SUBSCRIBE has come.
type subscribing struct {
	done    int // codes that are final
	seq     uint64
	pending bool
}

// subscribe hands sc.subs to core and puts its answers in their places.
// [MQTT-3.9.3-1] [3: MQTT-3.9.3-1]
func (c *conn) subscribe(t *core.Turn, sc *scratch, a *answer, s *subscribing) (err error) {
	if len(sc.subs) == 0 {
		return nil
	}
	grants, seq, pending := c.session.Subscribe(t, sc.subs, sc.grants[:0])
	sc.grants = grants
	clear(sc.subs)
	sc.subs = sc.subs[:0]
	s.seq, s.pending = seq, pending
	for ; s.done < len(a.codes); s.done++ {
		if a.codes[s.done] != toSubscribe {
			continue
		}
		g := grants[0]
		grants = grants[1:]
		if a.codes[s.done], err = c.granted(g); err != nil {
			return err
		}
		if g.Reason != core.OK && a.text == "" {
			a.text = g.Reason.String()
		}
	}
	return nil
}

// checkFilters counts the filters, and applies what ends the connection.
func (c *conn) checkFilters(p *packet.Subscribe) (n int, err error) {
	for filter, o := range p.All() {
		if c.version >= packet.V5 && o.NoLocal() && special(filter) {
			return 0, errNoLocalShared // [MQTT-3.8.3-4]
		}
		n++
	}
	return n, nil
}

// special tells that the filter names a group or a queue.
func special(filter []byte) bool {
	return bytes.HasPrefix(filter, []byte(sharePrefix)) || bytes.HasPrefix(filter, []byte(queuePrefix))
}

// unavailable is the code for a filter of a kind that is switched off, else 0.
// [3: MQTT-3.8.3-2]
func (c *conn) unavailable(filter []byte) packet.Code {
	switch {
	case !c.room.set.shared && bytes.HasPrefix(filter, []byte(sharePrefix)):
		return packet.SharedSubscriptionsNotSup
	case !c.room.set.wildcard && bytes.ContainsAny(filter, "+#"):
		return packet.WildcardNotSupported
	}
	return 0
}

// unserved is the answer for a filter that core is not asked about.
func (c *conn) unserved(code packet.Code, qos byte) (byte, error) {
	if c.version == packet.V31 {
		return c.granted(core.Grant{QoS: qos, Reason: core.NotSupported})
	}
	c.room.host.Metrics.Refused(Name, core.NotSupported)
	return c.refused(code), nil
}

// subscription is what core is to make of a filter.
func (c *conn) subscription(p *packet.Subscribe, filter []byte, o packet.Options) core.Subscription {
	sub := core.Subscription{Filter: string(filter), QoS: min(o.QoS(), c.room.set.maxQoS)} // [MQTT-3.2.2-10]
	if ids := p.Properties.SubscriptionIDs; len(ids) > 0 {
		sub.ID = ids[0] // holds for all filters of the packet
	}
	if c.version >= packet.V5 {
		sub.NoLocal, sub.RetainAsPublished, sub.RetainHandling = o.NoLocal(), o.RetainAsPublished(), o.RetainHandling()
	} else if c.bridge && !special(filter) {
		sub.NoLocal, sub.RetainAsPublished = true, true
	}
	return sub
}

// refused is the code for a filter that got no subscription.
func (c *conn) refused(code packet.Code) byte {
	if c.version < packet.V5 {
		return byte(packet.SubackFailure3)
	}
	return byte(code)
}

// granted turns core's answer into a code. 3.1 has no code for a refusal: the
// QoS byte stays, or the connection ends.
// [MQTT-3.8.4-7] [3: MQTT-3.8.4-5]
func (c *conn) granted(g core.Grant) (byte, error) {
	switch {
	case g.Reason == core.OK:
		return g.QoS, nil
	case c.version != packet.V31:
		c.room.host.Metrics.Refused(Name, g.Reason)
		return c.refused(codesOf(g.Reason).suback), nil
	case g.Reason == core.BadFilter:
		return 0, errFilter31
	case c.room.set.v3DeniedCloses:
		return 0, errDenied31
	}
	c.room.host.Metrics.Refused(Name, g.Reason)
	return g.QoS, nil
}

// answerFilters sends a SUBACK or UNSUBACK when the subscriptions are safe.
// MB10
func (c *conn) answerFilters(t *core.Turn, out *adapters.Output, seq uint64, pending bool, a answer) {
	if !pending {
		c.write(t, out, a)
		return
	}
	a.seq = seq
	c.inbound.begin(a.id, a.kind)
	c.answers.push(a)
}

// allOf sets every code.
func allOf(codes []byte, code packet.Code) []byte {
	for i := range codes {
		codes[i] = byte(code)
	}
	return codes
}
