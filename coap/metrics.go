package coap

import (
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/coap/message"
)

// gauge is a metric that goes up and down.
type gauge struct{ counter *atomic.Uint64 }

func (g *gauge) add(n int)  { g.counter.Add(uint64(n)) } // two's complement: a negative n subtracts
func (g *gauge) value() int { return int(g.counter.Load()) }

// counters are the metrics of the room that are counted often, by their names
// in section 10 of the protocol's page without entrepot_.
type counters struct {
	metrics    *adapters.Metrics
	traffic    *adapters.Traffic
	translated *adapters.Translator
	requests   [8][256]atomic.Pointer[atomic.Uint64] // by method (0: any other) and code
	duplicates [2]*atomic.Uint64                     // CON, NON
	notified   [2]*atomic.Uint64                     // CON, NON

	retransmissions, timeouts, coalesced, separate *atomic.Uint64
	resetsIn, resetsOut, withheld                  *atomic.Uint64
	endpoints                                      gauge
}

func (c *counters) open(m *adapters.Metrics) {
	c.metrics, c.traffic, c.translated = m, m.Traffic(Protocol), m.Translator(Protocol)
	for i, t := range []string{"con", "non"} {
		c.duplicates[i] = m.Counter("coap_duplicates_total", t)
		c.notified[i] = m.Counter("coap_notifications_total", t)
	}
	c.retransmissions = m.Counter("coap_retransmissions_total")
	c.timeouts = m.Counter("coap_timeouts_total")
	c.coalesced = m.Counter("coap_coalesced_total")
	c.separate = m.Counter("coap_separate_responses_total")
	c.resetsIn = m.Counter("coap_resets_total", "in")
	c.resetsOut = m.Counter("coap_resets_total", "out")
	c.withheld = m.Counter("udp_amplification_refused_total", Protocol)
	c.endpoints.counter = m.Counter("coap_endpoints")
}

var methodNames = [8]string{"other", "get", "post", "put", "delete", "fetch", "patch", "ipatch"}

// request counts one answered request.
func (c *counters) request(method, code message.Code) {
	if method > message.IPATCH {
		method = 0
	}
	p := &c.requests[method][code]
	n := p.Load()
	if n == nil {
		n = c.metrics.Counter("coap_requests_total", methodNames[method], code.Dotted())
		p.Store(n)
	}
	n.Add(1)
}

func (c *counters) malformed(reason string) {
	c.metrics.Counter("coap_malformed_total", reason).Add(1)
	c.dropped(reason)
}

func (c *counters) dropped(reason string) {
	c.metrics.Counter("udp_dropped_total", Protocol, reason).Add(1)
}

func (c *counters) observerRemoved(reason string) {
	c.metrics.Counter("coap_observers_removed_total", reason).Add(1)
}

func (c *counters) blockError(reason string) {
	c.metrics.Counter("coap_block_errors_total", reason).Add(1)
}

// challenged counts an Echo that is asked for.
func (c *counters) challenged() {
	c.echoed("sent")
	c.metrics.Counter("udp_challenges_total", Protocol).Add(1)
}

func (c *counters) echoed(result string) {
	c.metrics.Counter("coap_echo_challenges_total", result).Add(1)
}
