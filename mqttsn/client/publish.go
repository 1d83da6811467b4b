package client

import (
	"context"
	"errors"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// maxPayload fits into the largest UDP datagram over IPv4.
const maxPayload = 65507 - 9

// Publish sends a message and, with QoS 1 and 2, waits until the gateway has
// taken it over. QoS -1 needs no session. Refused tells the gateway's reason.
func (c *Client) Publish(ctx context.Context, t Topic, qos packet.QoS, retain bool, payload []byte) error {
	result := make(chan error, 1)
	c.PublishAsync(ctx, t, qos, retain, payload, func(err error) { result <- err })
	return <-result
}

// PublishAsync sends a message and calls done once, from any goroutine, when
// Publish would return. It waits for a new topic to be registered and while
// Options.Window messages are unacknowledged. Messages leave in the order of
// the calls; the payload must stay as it is until done is called.
func (c *Client) PublishAsync(ctx context.Context, t Topic, qos packet.QoS, retain bool, payload []byte, done func(error)) {
	t = t.publishing()
	p := packet.Publish{QoS: qos, Retain: retain, Kind: t.kind, TopicID: t.id, Data: payload}
	switch {
	case t.kind == packet.Short && len(t.name) != 2:
		done(ErrTopic)
		return
	case len(payload) > maxPayload:
		done(ErrTooLarge)
		return
	case qos == -1:
		done(c.publishMinusOne(t, retain, payload))
		return
	}
	if err := c.ready(); err != nil {
		done(err)
		return
	}
	if err := c.resolve(ctx, t, &p); err != nil {
		done(err)
		return
	}
	if qos == 0 {
		done(c.send(p))
		return
	}
	if err := c.enter(ctx); err != nil {
		done(err)
		return
	}
	c.acknowledged(ctx, t, p, done)
}

// enter takes a place in the window.
func (c *Client) enter(ctx context.Context) error {
	select {
	case c.window <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return c.Err()
	}
}

// acknowledged sends p and waits, on a goroutine of its own, for its
// acknowledgement; then it gives the place in the window back.
func (c *Client) acknowledged(ctx context.Context, t Topic, p packet.Publish, done func(error)) {
	w := newWait(nil, packet.PUBACK, packet.PUBREC)
	id, err := c.begin(w)
	if err == nil {
		p.MsgID = id
		err = c.send(p)
	}
	if err != nil {
		c.finish(id)
		<-c.window
		done(err)
		return
	}
	c.wg.Go(func() {
		err := c.complete(ctx, w, p)
		c.finish(id)
		var no *Refused
		if t.kind == packet.Normal && errors.As(err, &no) && no.Code == packet.InvalidTopicID {
			err = c.afresh(ctx, t, p)
		}
		<-c.window
		done(err)
	})
}

// complete waits for PUBACK, or for PUBREC and then PUBCOMP. p was sent once.
func (c *Client) complete(ctx context.Context, w *wait, p packet.Publish) error {
	r, err := c.awaitSent(ctx, w, func(int) packet.Packet {
		p.Dup = true
		return p
	})
	if err != nil || r.of == packet.PUBACK {
		return errors.Join(err, refused(packet.PUBACK, r.code))
	}
	done := newWait(nil, packet.PUBCOMP)
	c.mu.Lock()
	c.answers[p.MsgID] = done
	c.mu.Unlock()
	_, err = c.await(ctx, done, func(int) packet.Packet { return packet.Ack{Of: packet.PUBREL, MsgID: p.MsgID} })
	return err
}

// afresh agrees on an id that the gateway has forgotten and sends p once more
// (section 6.6).
func (c *Client) afresh(ctx context.Context, t Topic, p packet.Publish) error {
	c.mu.Lock()
	c.topics.drop(t.name)
	c.mu.Unlock()
	if err := c.resolve(ctx, t, &p); err != nil {
		return err
	}
	w := newWait(nil, packet.PUBACK, packet.PUBREC)
	id, err := c.begin(w)
	if err != nil {
		return err
	}
	defer c.finish(id)
	p.MsgID, p.Dup = id, false
	if err := c.send(p); err != nil {
		return err
	}
	return c.complete(ctx, w, p)
}

// publishMinusOne sends without a session (section 6.8).
func (c *Client) publishMinusOne(t Topic, retain bool, payload []byte) error {
	switch {
	case t.kind != packet.Normal:
		return c.send(packet.Publish{QoS: -1, Retain: retain, Kind: t.kind, TopicID: t.id, Data: payload})
	case t.name == "" || len(t.name)+len(payload) > maxPayload:
		return ErrTopic
	}
	return c.send(packet.LongPublish{Retain: retain, Name: []byte(t.name), Data: payload})
}

// resolve gives p the id of its topic; a name is registered once.
func (c *Client) resolve(ctx context.Context, t Topic, p *packet.Publish) (err error) {
	if t.kind != packet.Normal {
		return nil
	}
	c.mu.Lock()
	id, known := c.topics.ids[t.name]
	c.mu.Unlock()
	if !known {
		id, err = c.Register(ctx, t.name)
	}
	p.TopicID = id
	return err
}
