package client

import (
	"context"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// request is a SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
type request struct{ answer chan reply }

type reply struct {
	codes []byte
	err   error
}

// Subscription is one filter of a SUBSCRIBE. What is below QoS needs MQTT 5.0.
type Subscription struct {
	Filter            string
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte
	ID                uint32 // Subscription Identifier; 0: none
}

// Subscribe returns the granted QoS when the server has confirmed the filter,
// else a *Refused.
func (c *Client) Subscribe(ctx context.Context, s Subscription) (granted byte, err error) {
	p := &packet.Subscribe{}
	p.AppendFilter(s.Filter, packet.NewOptions(s.QoS, s.NoLocal, s.RetainAsPublished, s.RetainHandling))
	if s.ID != 0 {
		p.Properties.SubscriptionIDs = []uint32{s.ID}
	}
	codes, err := c.request(ctx, p, func(id uint16) { p.ID = id })
	if err != nil {
		return 0, err
	}
	if len(codes) != 1 {
		return 0, errUnasked
	}
	if code := packet.Code(codes[0]); code.Failed() {
		return 0, &Refused{Packet: packet.SUBACK, Code: code, Text: code.String()}
	}
	return codes[0], nil
}

// Unsubscribe returns when the server has confirmed it.
func (c *Client) Unsubscribe(ctx context.Context, filter string) error {
	p := &packet.Unsubscribe{}
	p.AppendFilter(filter)
	codes, err := c.request(ctx, p, func(id uint16) { p.ID = id })
	if err != nil {
		return err
	}
	if len(codes) == 1 && packet.Code(codes[0]).Failed() {
		return &Refused{Packet: packet.UNSUBACK, Code: packet.Code(codes[0]), Text: packet.Code(codes[0]).String()}
	}
	return nil
}

// request sends a packet with an identifier and waits for its answer.
func (c *Client) request(ctx context.Context, p packet.Packet, setID func(uint16)) ([]byte, error) {
	r := &request{answer: make(chan reply, 1)}
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return nil, errClosed
	}
	id := c.newID()
	setID(id)
	c.requests[id] = r
	c.append(p)
	c.mu.Unlock()
	c.kick()
	select {
	case a := <-r.answer:
		return a.codes, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Client) onReply(id uint16, codes []byte, err error) {
	c.mu.Lock()
	r := c.requests[id]
	delete(c.requests, id)
	c.mu.Unlock()
	if r != nil {
		r.answer <- reply{codes: append([]byte(nil), codes...), err: err}
	}
}
