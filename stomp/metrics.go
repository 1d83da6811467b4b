package stomp

import (
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/stomp/frame"
)

// counters are the protocol's metrics (docs/metrics.md). Labels are
// commands and the messages of ERROR, never a destination or a login.
type counters struct {
	metrics       *adapters.Metrics
	traffic       *adapters.Traffic
	translated    *adapters.Translator
	connections   *atomic.Uint64
	subscriptions *atomic.Uint64
	redelivered   *atomic.Uint64
	timeouts      *atomic.Uint64
	in, out       [32]*atomic.Uint64 // frames by command
}

func newCounters(m *adapters.Metrics) counters {
	if m == nil {
		m = adapters.NewMetrics()
	}
	c := counters{
		metrics: m, traffic: m.Traffic(Name), translated: m.Translator(Name),
		connections:   m.Counter("stomp_connections"),
		subscriptions: m.Counter("stomp_subscriptions"),
		redelivered:   m.Counter("stomp_redelivered_total"),
		timeouts:      m.Counter("stomp_heartbeat_timeouts_total"),
	}
	for i := range c.in {
		name := frame.Command(i).String()
		if name == "" {
			name = "unknown"
		}
		c.in[i] = m.Counter("stomp_frames_total", name, "in")
		c.out[i] = m.Counter("stomp_frames_total", name, "out")
	}
	return c
}

// failed counts an ERROR.
func (c *counters) failed(bad *failure) {
	if bad.reason.Refuses() {
		c.metrics.Refused(Name, bad.reason)
	}
	c.metrics.Counter("stomp_errors_total", bad.message).Add(1)
	c.metrics.ProtocolError(Name, bad.reason.String())
}
