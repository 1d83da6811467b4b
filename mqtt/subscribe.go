package mqtt

import (
	"strings"

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

func (c *conn) onSubscribe(t *core.Turn, sc *scratch, body []byte, out *adapters.Output) error {
	p := &sc.subscribe
	if err := p.Parse(&c.room.rules, c.version, 2, body); err != nil {
		return err
	}
	codes, err := c.plan(sc, p)
	if err != nil {
		return err
	}
	if c.version >= packet.V5 && c.inUse(p.ID) { // [MQTT-2.2.1-3]
		c.write(t, out, answer{kind: packet.SUBACK, id: p.ID, codes: allOf(codes, packet.PacketIdentifierInUse)})
		return nil
	}
	grants, seq, pending := c.session.Subscribe(t, sc.subs, sc.grants[:0])
	sc.grants = grants
	next, text := 0, ""
	for i := range codes {
		if codes[i] != toSubscribe {
			continue
		}
		if codes[i], err = c.granted(grants[next]); err != nil {
			return err
		}
		if r := grants[next].Reason; r != core.OK && text == "" {
			text = r.String()
		}
		next++
	}
	a := answer{kind: packet.SUBACK, id: p.ID, codes: codes, text: text}
	c.answerFilters(t, out, seq, pending, a) // [MQTT-3.8.4-1] [MQTT-3.8.4-6]
	return nil
}

// plan fills sc.subs with what core is to subscribe, and returns a code for
// each filter, toSubscribe where core decides.
func (c *conn) plan(sc *scratch, p *packet.Subscribe) (codes []byte, err error) {
	sc.subs = sc.subs[:0]
	id := uint32(0)
	if ids := p.Properties.SubscriptionIDs; len(ids) > 0 {
		id = ids[0] // holds for all filters of the packet
	}
	for filter, o := range p.All() {
		shared := strings.HasPrefix(string(filter), sharePrefix)
		special := shared || strings.HasPrefix(string(filter), queuePrefix)
		switch {
		case special && o.NoLocal() && c.version >= packet.V5:
			return nil, errNoLocalShared // [MQTT-3.8.3-4]
		case shared && !c.room.set.shared:
			codes = append(codes, c.refused(packet.SharedSubscriptionsNotSup))
			continue
		case !c.room.set.wildcard && strings.ContainsAny(string(filter), "+#"):
			codes = append(codes, c.refused(packet.WildcardNotSupported))
			continue
		}
		sub := core.Subscription{Filter: string(filter), ID: id, QoS: min(o.QoS(), c.room.set.maxQoS)} // [MQTT-3.2.2-10]
		if c.version >= packet.V5 {
			sub.NoLocal, sub.RetainAsPublished, sub.RetainHandling = o.NoLocal(), o.RetainAsPublished(), o.RetainHandling()
		} else if c.bridge && !special {
			sub.NoLocal, sub.RetainAsPublished = true, true
		}
		sc.subs = append(sc.subs, sub)
		codes = append(codes, toSubscribe)
	}
	return codes, nil
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
