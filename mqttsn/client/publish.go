package client

import (
	"context"
	"errors"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// Publish sends a message and, with QoS 1 and 2, waits until the gateway has
// taken it over. QoS -1 needs no session. Refused tells the gateway's reason.
// Calls from several goroutines overlap up to Options.Window.
func (c *Client) Publish(ctx context.Context, t Topic, qos packet.QoS, retain bool, payload []byte) error {
	t = t.publishing()
	if t.kind == packet.Short && len(t.name) != 2 {
		return ErrTopic
	}
	if qos == -1 {
		return c.publishMinusOne(t, retain, payload)
	}
	if err := c.ready(); err != nil {
		return err
	}
	err := c.publish(ctx, t, qos, retain, payload)
	var no *Refused
	if t.kind == packet.Normal && errors.As(err, &no) && no.Code == packet.InvalidTopicID {
		// The gateway forgot the id: agree anew, once (section 6.6).
		c.mu.Lock()
		c.topics.drop(t.name)
		c.mu.Unlock()
		err = c.publish(ctx, t, qos, retain, payload)
	}
	return err
}

func (c *Client) publish(ctx context.Context, t Topic, qos packet.QoS, retain bool, payload []byte) error {
	id, err := c.resolve(ctx, t)
	if err != nil {
		return err
	}
	p := packet.Publish{QoS: qos, Retain: retain, Kind: t.kind, TopicID: id, Data: payload}
	if qos == 0 {
		return c.send(p)
	}
	select {
	case c.window <- struct{}{}:
		defer func() { <-c.window }()
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return c.Err()
	}
	return c.acknowledged(ctx, p)
}

// acknowledged sends p until PUBACK, or PUBREC, PUBREL and PUBCOMP.
func (c *Client) acknowledged(ctx context.Context, p packet.Publish) error {
	w := newWait(nil, packet.PUBACK, packet.PUBREC)
	id, err := c.begin(w)
	if err != nil {
		return err
	}
	defer c.finish(id)
	p.MsgID = id
	r, err := c.await(ctx, w, func(attempt int) packet.Packet {
		p.Dup = attempt > 0
		return p
	})
	if err != nil || r.of == packet.PUBACK {
		return errors.Join(err, refused(packet.PUBACK, r.code))
	}
	done := newWait(nil, packet.PUBCOMP)
	c.mu.Lock()
	c.answers[id] = done
	c.mu.Unlock()
	_, err = c.await(ctx, done, func(int) packet.Packet { return packet.Ack{Of: packet.PUBREL, MsgID: id} })
	return err
}

// publishMinusOne sends without a session (section 6.8).
func (c *Client) publishMinusOne(t Topic, retain bool, payload []byte) error {
	switch {
	case t.kind != packet.Normal:
		return c.send(packet.Publish{QoS: -1, Retain: retain, Kind: t.kind, TopicID: t.id, Data: payload})
	case t.name == "" || len(t.name)+len(payload)+9 > packet.MaxLen:
		return ErrTopic
	}
	return c.send(packet.LongPublish{Retain: retain, Name: []byte(t.name), Data: payload})
}

// resolve is the id that a publish carries; a name is registered once.
func (c *Client) resolve(ctx context.Context, t Topic) (uint16, error) {
	if t.kind != packet.Normal {
		return t.id, nil
	}
	c.mu.Lock()
	id, known := c.topics.ids[t.name]
	c.mu.Unlock()
	if known {
		return id, nil
	}
	return c.Register(ctx, t.name)
}
