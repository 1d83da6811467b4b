package mqttsn

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// metrics keeps the counters that every packet touches.
type metrics struct {
	set        *adapters.Metrics
	traffic    *adapters.Traffic
	translated *adapters.Translator
	withheld   *atomic.Uint64        // by the budget of an unproven address
	packets    [2][32]*atomic.Uint64 // by direction and type; the last is FRWDENCAP
	states     [stateCount]*atomic.Uint64
}

func newMetrics(set *adapters.Metrics) *metrics {
	m := &metrics{set: set, traffic: set.Traffic(Name), translated: set.Translator(Name), withheld: set.Counter("udp_amplification_refused_total", Name)}
	for dir, word := range [2]string{adapters.In: "in", adapters.Out: "out"} {
		for i := range m.packets[dir] {
			if t := typeOf(i); t.Known() {
				m.packets[dir][i] = set.Counter("mqttsn_packets_total", word, t.String())
			}
		}
	}
	for s := range m.states {
		m.states[s] = set.Counter("mqttsn_clients", state(s).String())
	}
	return m
}

func typeOf(i int) packet.Type {
	if i == 31 {
		return packet.FRWDENCAP
	}
	return packet.Type(i)
}

func (m *metrics) packet(dir int, t packet.Type) {
	if t == packet.FRWDENCAP {
		t = 31
	}
	if c := m.packets[dir][t&31]; c != nil {
		c.Add(1)
	}
}

// moved counts a client from one state to another.
func (m *metrics) moved(from, to state) {
	if from != gone {
		m.states[from].Add(^uint64(0))
	}
	if to != gone {
		m.states[to].Add(1)
	}
}

func (m *metrics) malformed(err error) {
	reason := "length"
	if e := packet.ErrLength; errors.As(err, &e) {
		reason = e.Reason()
	}
	m.set.Counter("mqttsn_malformed_total", reason).Add(1)
	m.set.Counter("udp_dropped_total", Name, reason).Add(1)
}

func (m *metrics) retransmitted(t packet.Type) {
	m.set.Counter("mqttsn_retransmissions_total", t.String()).Add(1)
}

func (m *metrics) timeout(what string) { m.set.Counter("mqttsn_timeouts_total", what).Add(1) }
func (m *metrics) wake(result string)  { m.set.Counter("mqttsn_wakes_total", result).Add(1) }
func (m *metrics) roam(result string)  { m.set.Counter("mqttsn_roams_total", result).Add(1) }

func (m *metrics) unsolicited(answer string) {
	m.set.Counter("mqttsn_unsolicited_total", answer).Add(1)
}

func (m *metrics) minusOne(result string) { m.set.Counter("mqttsn_qos_m1_total", result).Add(1) }

func (m *metrics) refused(t packet.Type, c packet.Code) {
	m.set.Counter("mqttsn_negative_acks_total", t.String(), fmt.Sprintf("%02x", uint8(c))).Add(1)
}

// lost counts what a message of another protocol carries and this one cannot.
func (m *metrics) lost(msg *core.Message) (lossy bool) {
	x := msg.Meta
	if x == nil {
		return false
	}
	for _, f := range [...]struct {
		there bool
		field string
	}{
		{x.ContentType != "", "content_type"},
		{x.ReplyTo != "", "reply_to"},
		{len(x.Correlation) != 0, "correlation"},
		{len(x.Headers) != 0, "headers"},
	} {
		if f.there {
			m.set.Lost(msg.Origin, Name, f.field)
			lossy = true
		}
	}
	return lossy
}
