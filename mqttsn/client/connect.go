package client

import (
	"context"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// Connect opens the session, or takes it up again after Sleep. It answers the
// gateway's questions for the will (section 6.2).
func (c *Client) Connect(ctx context.Context) error {
	c.control.Lock()
	defer c.control.Unlock()
	c.mu.Lock()
	if c.state == ended {
		defer c.mu.Unlock()
		return c.err
	}
	if c.state == idle {
		c.topics.forget()
	}
	before := c.state
	c.state = connecting
	c.mu.Unlock()
	err := c.handshake(ctx)
	if err != nil {
		c.setState(before)
		return err
	}
	c.setState(active)
	return nil
}

func (c *Client) handshake(ctx context.Context) error {
	var next packet.Packet = packet.Connect{
		Will: c.opt.Will != nil, Clean: !c.opt.Resume, ProtocolID: packet.ProtocolID,
		Duration: seconds(c.opt.KeepAlive), ClientID: []byte(c.opt.ClientID),
	}
	accepts := []packet.Type{packet.WILLTOPICREQ, packet.CONNACK, packet.CONNACK}
	for {
		w := newWait(c.onConnack, accepts[0], accepts[1:]...)
		c.expect(w)
		r, err := c.await(ctx, w, func(int) packet.Packet { return c.shown(next) })
		c.expect(nil)
		switch {
		case err != nil:
			return err
		case r.of == packet.WILLTOPICREQ:
			next, accepts = c.opt.Will.topic(), []packet.Type{packet.WILLMSGREQ, packet.CONNACK, packet.CONNACK}
		case r.of == packet.WILLMSGREQ:
			next, accepts = packet.WillMsg{Payload: c.opt.Will.Payload}, []packet.Type{packet.CONNACK}
		default:
			return refused(packet.CONNACK, r.code)
		}
	}
}

// shown sends what shows who the client is ahead of a CONNECT, also of one
// that is repeated, and returns p. A gateway that gets it late or not at all
// refuses the CONNECT, which is the answer that counts.
func (c *Client) shown(p packet.Packet) packet.Packet {
	if p.Type() == packet.CONNECT && c.opt.User != "" {
		_ = c.send(packet.Auth{Method: []byte(packet.PLAIN), Data: packet.AppendPlain(nil, c.opt.User, c.opt.Password)})
	}
	return p
}

// onConnack makes the session active before the messages that may follow the
// CONNACK are read. mu is held.
func (c *Client) onConnack(r reply) {
	if r.of == packet.CONNACK && r.code == packet.Accepted && c.state == connecting {
		c.state = active
	}
}

// SearchGateway asks the peer whether it is a gateway and returns its id
// (section 6.1).
func (c *Client) SearchGateway(ctx context.Context) (uint8, error) {
	r, err := c.exchange(ctx, newWait(nil, packet.GWINFO), packet.SearchGW{})
	return uint8(r.topicID), err
}
