package client

import (
	"context"
	"time"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// reply is what an answer can say.
type reply struct {
	of      packet.Type
	code    packet.Code
	topicID uint16
	qos     packet.QoS
}

// wait is an exchange that waits for an answer of one of two types.
type wait struct {
	types [3]packet.Type
	then  func(reply) // called by the reader under mu, before anything later is read
	reply chan reply
}

func (w *wait) wants(t packet.Type) bool {
	return t == w.types[0] || t == w.types[1] || t == w.types[2]
}

func newWait(then func(reply), t packet.Type, more ...packet.Type) *wait {
	w := &wait{types: [3]packet.Type{t, t, t}, then: then, reply: make(chan reply, 1)}
	copy(w.types[1:], more)
	return w
}

// begin reserves a message id for w.
func (c *Client) begin(w *wait) (uint16, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == ended {
		return 0, c.err
	}
	for {
		c.nextID++
		if _, taken := c.answers[c.nextID]; c.nextID != 0 && !taken {
			c.answers[c.nextID] = w
			return c.nextID, nil
		}
	}
}

func (c *Client) finish(id uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.answers, id)
}

// expect makes w the exchange without message id. control is held.
func (c *Client) expect(w *wait) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = w
}

// await sends p, and again every T_RETRY, N_RETRY times (section 6.13), until
// w has its answer.
func (c *Client) await(ctx context.Context, w *wait, p func(attempt int) packet.Packet) (reply, error) {
	if err := c.send(p(0)); err != nil {
		return reply{}, err
	}
	return c.awaitSent(ctx, w, p)
}

// awaitSent is await for what was sent once already.
func (c *Client) awaitSent(ctx context.Context, w *wait, p func(attempt int) packet.Packet) (reply, error) {
	timer := time.NewTimer(c.opt.RetryInterval)
	defer timer.Stop()
	start := time.Since(c.began)
	for attempt := 0; ; {
		select {
		case r := <-w.reply:
			return r, nil
		case <-ctx.Done():
			return reply{}, ctx.Err()
		case <-c.done:
			return reply{}, c.Err()
		case <-timer.C:
		}
		if quiet := c.quiet(start, w); quiet > 0 {
			timer.Reset(quiet)
			continue
		}
		if attempt == c.opt.MaxRetries {
			return reply{}, ErrTimeout
		}
		attempt++
		if err := c.send(p(attempt)); err != nil {
			return reply{}, err
		}
		timer.Reset(c.opt.RetryInterval)
	}
}

// quiet is how much longer a wake-up should wait because messages still
// arrive; every other exchange repeats at once.
func (c *Client) quiet(start time.Duration, w *wait) time.Duration {
	heard := time.Duration(c.heard.Load())
	if w.types[0] != packet.PINGRESP || heard < start {
		return 0
	}
	return heard + c.opt.RetryInterval - time.Since(c.began)
}

// exchange runs an exchange without message id.
func (c *Client) exchange(ctx context.Context, w *wait, p packet.Packet) (reply, error) {
	c.control.Lock()
	defer c.control.Unlock()
	c.expect(w)
	defer c.expect(nil)
	return c.await(ctx, w, func(int) packet.Packet { return p })
}
