package adapters

import (
	"time"

	"github.com/entrepot/entrepot/core"
)

// delivery is one that is timed when its output has been written.
type delivery struct {
	accepted time.Duration
	from, to uint8 // protocols
}

// Deliveries makes fn be told how long deliveries took that are timed, by the
// protocols that their messages came and left by. It is called before anything
// is delivered, and fn from every loop.
func (m *Metrics) Deliveries(fn func(from, to string, took time.Duration)) { m.deliveries = fn }

// Sent notes a delivery that was appended to the output, as Count does, and
// times it if its message is one of those, and was not delivered before.
func (x *Translator) Sent(out *Output, d *core.Delivery, r Translation) {
	if at, timed := d.Message.Accepted(); timed && d.Attempt <= 1 {
		x.time(out, d.Message.Origin, at)
	}
	x.Count(out, d.Message, r)
}

// SentRun is Sent for the messages of a run.
func (x *Translator) SentRun(out *Output, run *core.Run, r Translation) {
	if at, timed := run.Accepted(); timed {
		x.time(out, run.Origin(), at)
	}
	x.count(out, run.Origin(), r, run.Len())
}

func (x *Translator) time(out *Output, from string, at time.Duration) {
	out.timed = append(out.timed, delivery{at, uint8(x.set.protocol(from)), uint8(x.to)})
	out.set = x.set
}

// Written tells that everything in the output has been written: now ends what
// is timed.
func (o *Output) Written(t *core.Turn) {
	if len(o.timed) == 0 {
		return
	}
	now, names := t.Clock().Elapsed(), *o.set.protocols.Load()
	for _, d := range o.timed {
		if fn := o.set.deliveries; fn != nil {
			fn(names[d.from], names[d.to], now-d.accepted)
		}
	}
	o.timed = o.timed[:0]
}
