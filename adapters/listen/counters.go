package listen

import (
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

// counters are the metrics of one protocol on one listener (names without
// the prefix entrepot_): connections, connects_total, disconnects_total,
// preauth_closed_total, limit_refused_total, udp_dropped_total, logins_total,
// bytes_total, write_waiting_bytes, datagrams_total, reading_paused_total. Gauges are counters that are also taken from.
type counters struct {
	of             *listener
	metrics        *adapters.Metrics
	protocol       string
	listener       string
	unauth, auth   *atomic.Uint64
	accepted       *atomic.Uint64
	logins         *atomic.Uint64
	bytes          [2]*atomic.Uint64 // [adapters.In|Out], counted at each read and write
	waiting        *atomic.Uint64    // bytes that peers have not taken; a gauge
	datagrams      [2]*atomic.Uint64 // nil on stream listeners
	disconnectedBy [64]atomic.Pointer[atomic.Uint64]
}

func newCounters(of *listener, protocol string) *counters {
	m, listener := of.server.metrics, of.name
	c := &counters{
		of: of, metrics: m, protocol: protocol, listener: listener,
		unauth:   m.Counter("connections", protocol, listener, "unauth"),
		auth:     m.Counter("connections", protocol, listener, "auth"),
		accepted: m.Counter("connects_total", protocol, "accepted", ""),
		logins:   m.Counter("logins_total", protocol),
		waiting:  m.Counter("write_waiting_bytes", protocol),
	}
	for dir, word := range directions {
		c.bytes[dir] = m.Counter("bytes_total", protocol, word)
	}
	return c
}

var directions = [...]string{adapters.In: "in", adapters.Out: "out"}

// countDatagrams makes the counters that a datagram listener has besides.
func (c *counters) countDatagrams() {
	for dir, word := range directions {
		c.datagrams[dir] = c.metrics.Counter("datagrams_total", c.protocol, word)
	}
}

// braked counts a pause of a connection's input because of what it published.
func (c *counters) braked() { c.metrics.Counter("reading_paused_total", c.protocol).Add(1) }

// hurried counts a publish beyond the rate of its peer.
func (c *counters) hurried() {
	c.metrics.Counter("limit_refused_total", c.protocol, "publish_rate").Add(1)
}

func (c *counters) carried(dir, n int) { c.bytes[dir].Add(uint64(n)) }

func (c *counters) datagram(dir, n int) {
	c.datagrams[dir].Add(1)
	c.carried(dir, n)
}

func (c *counters) connected() {
	c.accepted.Add(1)
	c.unauth.Add(1)
}

// authenticated counts a login; one that ends before it only changes its state.
func (c *counters) authenticated(login bool) {
	if login {
		c.logins.Add(1)
	}
	c.unauth.Add(^uint64(0))
	c.auth.Add(1)
}

// disconnected counts an end; early: before the login.
func (c *counters) disconnected(r core.Reason, early bool) {
	c.auth.Add(^uint64(0))
	slot := &c.disconnectedBy[r%64]
	n := slot.Load()
	if n == nil {
		n = c.metrics.Counter("disconnects_total", c.protocol, r.String())
		slot.Store(n)
	}
	n.Add(1)
	if why := preauthReason(r); early && why != "" {
		c.preauthClosed(why)
	}
}

// preauthReason is the label of an end before the login; "" for those that
// are nobody's fault.
func preauthReason(r core.Reason) string {
	switch r {
	case core.IdleTimeout:
		return "deadline"
	case core.TooLarge:
		return "bytes"
	case core.Malformed:
		return "malformed"
	case core.ProtocolError:
		return "protocol"
	}
	return ""
}

func (c *counters) preauthClosed(why string) {
	c.metrics.Counter("preauth_closed_total", c.protocol, why).Add(1)
}

// nameRefused counts a login whose name cannot be one.
func (c *counters) nameRefused() {
	c.metrics.Counter("connects_total", c.protocol, "refused", "name").Add(1)
}

// upgradeRefused counts a request that became no WebSocket, and why.
func (c *counters) upgradeRefused(why string) {
	c.metrics.Counter("connects_total", c.protocol, "refused", why).Add(1)
	c.preauthClosed("protocol")
}

func (c *counters) refused(r limit.Refusal) {
	c.metrics.Counter("connects_total", c.protocol, "refused", string(r)).Add(1)
	c.metrics.Counter("limit_refused_total", c.protocol, string(r)).Add(1)
	if r == limit.Places {
		c.preauthClosed("places")
	}
}

// handshake counts a DTLS handshake that has ended.
func (c *counters) handshake(result string) {
	c.metrics.Counter("dtls_handshakes_total", c.protocol, result).Add(1)
}

// associated counts DTLS associations, by 1 or -1.
func (c *counters) associated(n int) {
	c.metrics.Counter("dtls_associations", c.protocol).Add(uint64(n))
}

// challenged counts a HelloVerifyRequest.
func (c *counters) challenged() { c.metrics.Counter("udp_challenges_total", c.protocol).Add(1) }

func (c *counters) dropped(reason string) {
	c.metrics.Counter("udp_dropped_total", c.protocol, reason).Add(1)
}
