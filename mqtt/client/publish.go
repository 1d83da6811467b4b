package client

import (
	"context"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// flight is a publish of QoS 1 or 2 that is not complete.
type flight struct {
	done     func(error)
	qos      byte
	released bool // PUBREL was sent
}

// takes tells that the server may send that acknowledgement now.
func (f *flight) takes(t packet.Type) bool {
	switch t {
	case packet.PUBACK:
		return f.qos == 1
	case packet.PUBREC:
		return f.qos == 2
	}
	return f.qos == 2 && f.released
}

// Publish sends a message and calls done once, from any goroutine: with nil
// when the server has acknowledged it, or when QoS 0 was written to the
// buffer; else with the reason why not. Messages leave in the order of the
// calls. Publish waits while the window is full; done must not block.
func (c *Client) Publish(ctx context.Context, m Message, done func(error)) {
	if m.QoS > 0 {
		select {
		case c.window <- struct{}{}:
		case <-c.done:
			done(errClosed)
			return
		case <-ctx.Done():
			done(ctx.Err())
			return
		}
	}
	if err := c.publish(&m, done); err != nil {
		if m.QoS > 0 {
			<-c.window
		}
		done(err)
		return
	}
	c.kick()
	if m.QoS == 0 {
		done(nil)
	}
}

func (c *Client) publish(m *Message, done func(error)) error {
	p := packet.Publish{QoS: m.QoS, Retain: m.Retain, Topic: []byte(m.Topic), Payload: m.Payload}
	if c.o.Version >= packet.V5 {
		m.properties(&p.Properties)
	}
	if c.maxOut > 0 && p.Len(c.o.Version) > c.maxOut {
		return errTooLarge
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errClosed
	}
	if m.QoS > 0 {
		p.ID = c.newID()
		c.flights[p.ID] = &flight{done: done, qos: m.QoS}
	}
	c.append(&p)
	return nil
}

// onAck moves an exchange on. MQTT 5.0, 4.3.
func (c *Client) onAck(a *packet.Ack) error {
	if a.Type == packet.PUBREL {
		delete(c.held, a.ID)
		c.send(&packet.Ack{Type: packet.PUBCOMP, ID: a.ID})
		return nil
	}
	c.mu.Lock()
	f := c.flights[a.ID]
	if f == nil {
		c.mu.Unlock()
		return nil
	}
	if !f.takes(a.Type) {
		c.mu.Unlock()
		return errUnasked
	}
	if a.Type == packet.PUBREC && !a.Code.Failed() {
		f.released = true
		c.append(&packet.Ack{Type: packet.PUBREL, ID: a.ID})
		c.mu.Unlock()
		c.kick()
		return nil
	}
	delete(c.flights, a.ID)
	c.mu.Unlock()
	<-c.window
	if a.Code.Failed() {
		f.done(refused(a.Type, a.Code, &a.Properties))
		return nil
	}
	f.done(nil)
	return nil
}
