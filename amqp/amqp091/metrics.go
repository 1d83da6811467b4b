package amqp091

import (
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// counters are the protocol's own metrics (section 11). The first five go up
// and down.
type counters struct {
	connections *atomic.Uint64
	channels    *atomic.Uint64
	consumers   *atomic.Uint64
	unacked     *atomic.Uint64
	unconfirmed *atomic.Uint64
	returned    *atomic.Uint64
	redelivered *atomic.Uint64
	frames      [2]*atomic.Uint64 // [adapters.In|Out]
	metrics     *adapters.Metrics
}

func newCounters(m *adapters.Metrics) counters {
	return counters{
		connections: m.Counter("amqp_connections", "0-9-1"),
		channels:    m.Counter("amqp_channels"),
		consumers:   m.Counter("amqp_consumers"),
		unacked:     m.Counter("amqp_unacked"),
		unconfirmed: m.Counter("amqp_unconfirmed"),
		returned:    m.Counter("amqp_returned_total"),
		redelivered: m.Counter("amqp_redelivered_total"),
		frames:      [2]*atomic.Uint64{adapters.In: m.Counter("amqp_frames_total", "in"), adapters.Out: m.Counter("amqp_frames_total", "out")},
		metrics:     m,
	}
}

// down takes n off a gauge.
func down(gauge *atomic.Uint64, n int) { gauge.Add(-uint64(n)) }

// failed counts an error that the peer was told.
func (c *counters) failed(code wire.Code) {
	c.metrics.Counter("amqp_errors_total", code.String()).Add(1)
}

// uncount takes what a channel holds off the gauges.
func (ch *channel) uncount() {
	m := &ch.c.l.count
	down(m.consumers, len(ch.consumers))
	down(m.unacked, ch.unacked.count)
	down(m.unconfirmed, len(ch.confirms.open))
}
