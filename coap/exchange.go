package coap

import (
	"time"

	"github.com/entrepot/entrepot/core"
)

// exchange is a Confirmable message of ours that waits for its acknowledgement
// (RFC 7252, section 4.2).
type exchange struct {
	frame   []byte        // the datagram, as it is sent again
	timeout time.Duration // the current one
	next    core.Time     // when it is sent again, or given up
	sent    int           // transmissions so far
	id      uint16
	note    *observation // the observation it notifies; nil for a response
	opens   *observation // the observation whose registration it answers
	consume settlement   // what its acknowledgement settles
}

// settlement is a delivery that ends with the exchange.
type settlement struct {
	consumer *core.Consumer
	seq      uint64
}

// settle ends the delivery, once.
func (s *settlement) settle(t *core.Turn, o core.Outcome) {
	if s.consumer != nil {
		s.consumer.Settle(t, s.seq, o)
		s.consumer = nil
	}
}

// start begins the schedule: the first timeout is drawn from ack_timeout to
// ack_timeout × ack_random_factor by spread, 0 to below 1.
func (x *exchange) start(now core.Time, c *Config, spread float64) {
	x.timeout = time.Duration(float64(c.AckTimeout) * (1 + spread*(c.AckRandomFactor-1)))
	x.next, x.sent = now.After(x.timeout), 1
}

// again moves on to the next transmission: each timeout is twice the one
// before. It is false when the message has been sent often enough (M10).
func (x *exchange) again(now core.Time, c *Config) bool {
	if x.sent > c.MaxRetransmit {
		return false
	}
	x.timeout *= 2
	x.next = now.After(x.timeout)
	x.sent++
	return true
}
