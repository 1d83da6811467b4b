package client

import (
	"context"
	"errors"
	"time"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// Ping asks the gateway whether it is there (section 6.11).
func (c *Client) Ping(ctx context.Context) error {
	if err := c.ready(); err != nil {
		return err
	}
	_, err := c.exchange(ctx, newWait(nil, packet.PINGRESP), packet.PingReq{})
	return err
}

// keepAlive pings whenever nothing was sent for the keep-alive time, and ends
// the client when the gateway does not answer.
func (c *Client) keepAlive() {
	timer := time.NewTimer(c.opt.KeepAlive)
	defer timer.Stop()
	ctx := context.Background()
	for {
		select {
		case <-c.done:
			return
		case <-timer.C:
		}
		next := time.Duration(c.sent.Load()) + c.opt.KeepAlive - time.Since(c.began)
		if next <= 0 {
			next = c.opt.KeepAlive
			if err := c.Ping(ctx); errors.Is(err, ErrTimeout) {
				c.end(err)
			}
		}
		timer.Reset(next)
	}
}
