package client

import (
	"context"
	"time"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// Sleep tells the gateway to buffer messages for a client that wakes within d
// (1 s to 65,535 s; section 6.14). Until Wake or Connect nothing is sent.
func (c *Client) Sleep(ctx context.Context, d time.Duration) error {
	switch s := c.stateNow(); s {
	case active, asleep, awake:
	default:
		return c.ready()
	}
	asleepNow := func(reply) {
		if c.state != ended {
			c.state, c.slept = asleep, time.Since(c.began)
		}
	}
	_, err := c.exchange(ctx, newWait(asleepNow, packet.DISCONNECT), packet.Disconnect{Duration: max(seconds(d), 1)})
	return err
}

// Wake fetches what was buffered: OnMessage sees it before Wake returns. The
// client is asleep again afterwards, for the same time.
func (c *Client) Wake(ctx context.Context) error {
	if s := c.stateNow(); s != asleep {
		return c.ready()
	}
	c.setState(awake)
	defer func() {
		if c.stateNow() == awake {
			c.setState(asleep)
		}
	}()
	_, err := c.exchange(ctx, newWait(nil, packet.PINGRESP), packet.PingReq{ClientID: []byte(c.opt.ClientID)})
	return err
}

// Disconnect ends the session in order, so that no will is published, and
// closes the client.
func (c *Client) Disconnect(ctx context.Context) error {
	var err error
	switch c.stateNow() {
	case active, asleep, awake:
		_, err = c.exchange(ctx, newWait(nil, packet.DISCONNECT), packet.Disconnect{})
	}
	_ = c.Close()
	return err
}
