package exchange

import (
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// Reasons of a death (AQ34).
const (
	DeathRejected      = "rejected"
	DeathExpired       = "expired"
	DeathMaxLength     = "maxlen"
	DeathDeliveryLimit = "delivery_limit"
)

const (
	headerDeath      = "x-death"
	headerFirstDeath = "x-first-death-"
)

// Death is one end of a message in a queue.
type Death struct {
	Queue    string
	Reason   string
	Exchange string // where it had been published
	Key      string
	More     []string // further routing keys that it had
	Time     core.Time
}

// Die adds d to the properties of a message that goes to a dead-letter
// exchange: x-death, the newest first, merged by queue and reason, and the
// first of all deaths. The expiration is taken off (AQ34).
func Die(p *wire.Properties, d Death) {
	count, before := int64(1), []wire.Value(nil)
	old, had := p.Headers.Get(headerDeath)
	for e := range old.Array() {
		t, _ := e.Table()
		if isDeath(t, d) {
			if n, ok := t.Get("count"); ok {
				was, _ := n.Int()
				count += was
			}
			continue
		}
		before = append(before, e)
	}
	var left wire.Table
	for name, v := range p.Headers.All() {
		if string(name) != headerDeath {
			left = left.Append(string(name), v)
		}
	}
	entry := d.table(count)
	if p.Has(wire.FlagExpiration) {
		entry = entry.Append("original-expiration", wire.Longstr(string(p.Expiration)))
	}
	left = left.Append(headerDeath, wire.Array(append([]wire.Value{wire.Nested(entry)}, before...)...))
	if !had {
		left = left.Append(headerFirstDeath+"queue", wire.Longstr(d.Queue)).
			Append(headerFirstDeath+"reason", wire.Longstr(d.Reason)).
			Append(headerFirstDeath+"exchange", wire.Longstr(d.Exchange))
	}
	p.Headers = left
	p.Flags = p.Flags&^wire.FlagExpiration | wire.FlagHeaders
}

func (d *Death) table(count int64) wire.Table {
	keys := []wire.Value{wire.Longstr(d.Key)}
	for _, k := range d.More {
		keys = append(keys, wire.Longstr(k))
	}
	return wire.Table{}.
		Append("count", wire.Long(count)).
		Append("reason", wire.Longstr(d.Reason)).
		Append("queue", wire.Longstr(d.Queue)).
		Append("time", wire.Timestamp(uint64(d.Time/1000))).
		Append("exchange", wire.Longstr(d.Exchange)).
		Append("routing-keys", wire.Array(keys...))
}

func isDeath(t wire.Table, d Death) bool {
	return textOf(t, "queue") == d.Queue && textOf(t, "reason") == d.Reason
}

func textOf(t wire.Table, name string) string {
	v, _ := t.Get(name)
	s, _ := v.Text()
	return s
}

// Cycles tells whether a message that died without anybody's rejection would
// come to a queue where it died before: such a cycle ends (AQ34).
func Cycles(p *wire.Properties, queue string) bool {
	v, _ := p.Headers.Get(headerDeath)
	seen := false
	for e := range v.Array() {
		t, _ := e.Table()
		if textOf(t, "reason") == DeathRejected {
			return false
		}
		seen = seen || textOf(t, "queue") == queue
	}
	return seen
}
