package mqtt

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// onUnsubscribe removes subscriptions whose filter is equal byte for byte.
// [MQTT-3.10.4-1]
// [MQTT-3.10.4-6] [3: MQTT-3.10.4-1] [3: MQTT-3.10.4-6]
func (c *conn) onUnsubscribe(t *core.Turn, sc *scratch, body []byte, out *adapters.Output) error {
	p := &sc.unsubscribe
	if err := p.Parse(&c.room.rules, c.version, 2, body); err != nil {
		return err
	}
	n := 0
	for range p.All() {
		n++
	}
	a := answer{kind: packet.UNSUBACK, id: p.ID, codes: make([]byte, 0, n)}
	if c.version >= packet.V5 && c.inUse(p.ID) { // [MQTT-2.2.1-3]
		a.codes = allOf(a.codes[:n], packet.PacketIdentifierInUse)
		c.write(t, out, a)
		return nil
	}
	var seq uint64
	var pending bool
	w := c.who()
	for filter := range p.All() {
		sc.filters = append(sc.filters, string(c.room.rewriteFilter(filter, w)))
		if len(sc.filters) == filterChunk || len(a.codes)+len(sc.filters) == n {
			seq, pending = c.unsubscribe(t, sc, &a)
		}
	}
	c.answerFilters(t, out, seq, pending, a) // [MQTT-3.10.4-4] [MQTT-3.10.4-5] [3: MQTT-3.10.4-4] [3: MQTT-3.10.4-5]
	return nil
}

// unsubscribe hands sc.filters to core and appends its answers.
func (c *conn) unsubscribe(t *core.Turn, sc *scratch, a *answer) (seq uint64, pending bool) {
	sc.reasons, seq, pending = c.session.Unsubscribe(t, sc.filters, sc.reasons[:0])
	clear(sc.filters)
	sc.filters = sc.filters[:0]
	for _, r := range sc.reasons {
		a.codes = append(a.codes, byte(unsubackCode(r))) // [MQTT-3.11.3-1]
	}
	return seq, pending
}

// unsubackCode is the UNSUBACK column of the reasons: few apply.
func unsubackCode(r core.Reason) packet.Code {
	switch r {
	case core.OK:
		return packet.Success
	case core.NotFound:
		return packet.NoSubscriptionExisted
	case core.BadFilter, core.BadTopic:
		return packet.TopicFilterInvalid
	case core.NotAuthorized:
		return packet.NotAuthorized
	}
	return packet.UnspecifiedError
}
