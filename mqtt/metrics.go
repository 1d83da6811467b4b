package mqtt

import (
	"fmt"
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// counters are the room's own metrics (section 7 of the page), resolved once.
type counters struct {
	m *adapters.Metrics

	packets    [2][16]*atomic.Uint64 // [adapters.In|Out][type]
	open       [packet.V5 + 1]*atomic.Uint64
	keepAlive  *atomic.Uint64
	redelivers [3]*atomic.Uint64 // by QoS
	duplicates *atomic.Uint64
	held       *atomic.Uint64
	aliasSaved *atomic.Uint64
	tooLarge   *atomic.Uint64
	handovers  *atomic.Uint64
	codes      [2][16][256]atomic.Pointer[atomic.Uint64] // [adapters.In|Out][type][code], made on first use

	takeoversDelayed *atomic.Uint64

	dropped [256]atomic.Pointer[atomic.Uint64] // messages_dropped_total by core.Reason, made on first use
	refused [256]atomic.Pointer[atomic.Uint64] // refused_total, the same
}

// directions are the words of adapters.In and Out.
var directions = [2]string{adapters.In: "in", adapters.Out: "out"}

func newCounters(m *adapters.Metrics) *counters {
	c := &counters{
		m:          m,
		keepAlive:  m.Counter("mqtt_keepalive_timeouts_total"),
		duplicates: m.Counter("mqtt_duplicates_total"),
		held:       m.Counter("mqtt_qos2_held"),
		aliasSaved: m.Counter("mqtt_alias_saved_bytes_total"),
		tooLarge:   m.Counter("mqtt_too_large_total"),
		handovers:  m.Counter("mqtt_group_handovers_total"),

		takeoversDelayed: m.Counter("mqtt_takeovers_delayed_total"),
	}
	for dir, word := range directions {
		for t := range c.packets[dir] {
			c.packets[dir][t] = m.Counter("mqtt_packets_total", word, packet.Type(t).String())
		}
	}
	for _, v := range []packet.Version{packet.V31, packet.V311, packet.V5} {
		c.open[v] = m.Counter("mqtt_connections", v.String())
	}
	for qos := range c.redelivers {
		c.redelivers[qos] = m.Counter("mqtt_redelivered_total", fmt.Sprint(qos))
	}
	return c
}

// in counts a packet of the client, out one of ours.
func (c *counters) in(t *core.Turn, x packet.Type)  { t.Count(c.packets[adapters.In][x], 1) }
func (c *counters) out(t *core.Turn, x packet.Type) { t.Count(c.packets[adapters.Out][x], 1) }

// code counts a reason code that is not a plain success. PUBACK 10 may follow
// each PUBLISH: a counter is looked up once.
func (c *counters) code(t packet.Type, code packet.Code, direction int) {
	if code == packet.Success {
		return
	}
	slot := &c.codes[direction][t][code]
	n := slot.Load()
	if n == nil {
		n = c.m.Counter("mqtt_reason_codes_total", t.String(), codeText(code), directions[direction])
		slot.Store(n)
	}
	n.Add(1)
}

// drop counts publishes of QoS 0 that were refused, of which there may be as many
// as a client likes.
func (c *counters) drop(t *core.Turn, r core.Reason, n int) {
	t.Count(resolve(&c.dropped[r], func() *atomic.Uint64 { return c.m.Counter("messages_dropped_total", Name, dropped(r)) }), uint64(n))
}

// refuse counts one of QoS 1 or 2.
func (c *counters) refuse(t *core.Turn, r core.Reason) {
	t.Count(resolve(&c.refused[r], func() *atomic.Uint64 { return c.m.Counter("refused_total", Name, r.String()) }), 1)
}

func resolve(slot *atomic.Pointer[atomic.Uint64], find func() *atomic.Uint64) *atomic.Uint64 {
	n := slot.Load()
	if n == nil {
		n = find()
		slot.Store(n)
	}
	return n
}

// exchange counts a login by AUTH that has ended. The method is one of the
// configuration, or "other".
func (c *counters) exchange(method, result string) {
	c.m.Counter("mqtt_auth_exchanges_total", method, result).Add(1)
}

// failures counts the codes of a SUBACK or UNSUBACK that are errors.
func (c *counters) failures(t packet.Type, codes []byte) {
	var n [256]uint64
	for _, code := range codes {
		n[code]++
	}
	for code := range n {
		if n[code] > 0 && packet.Code(code).Failed() {
			c.m.Counter("mqtt_reason_codes_total", t.String(), fmt.Sprintf("%02x", code), "out").Add(n[code])
		}
	}
}

// codeText is a code as labels show it.
func codeText(code packet.Code) string { return fmt.Sprintf("%02x", byte(code)) }

// redirect counts a client that was told of another server.
func (c *counters) redirect(code packet.Code) {
	c.m.Counter("mqtt_redirects_total", codeText(code)).Add(1)
}

func (c *counters) stray(t packet.Type) { c.m.Counter("mqtt_stray_acks_total", t.String()).Add(1) }

// down decrements a gauge.
func down(g *atomic.Uint64) { g.Add(^uint64(0)) }
