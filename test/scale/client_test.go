package scale

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
	"github.com/entrepot/entrepot/test/rig"
)

// client is a connection as bytes: it sends packets, many in one write, and reads them one by one. It answers nothing by
// itself.
type client struct {
	net.Conn
	out      []byte
	in       []byte
	from, to int
	publish  packet.Publish
	ack      packet.Ack
	present  bool
}

// option changes a CONNECT.
type option func(*packet.Connect)

// lasting is a session that outlives its connection.
func lasting(c *packet.Connect) {
	c.CleanStart = false
	c.Properties.SetNum(packet.SessionExpiryInterval, 3600)
}

func window(n uint32) option {
	return func(c *packet.Connect) { c.Properties.SetNum(packet.ReceiveMaximum, n) }
}

// errRefused is a CONNACK with a code.
type errRefused struct{ packet.Code }

func (e errRefused) Error() string { return "refused: " + e.Code.String() }

// dial logs in with MQTT 5.0.
func dial(addr, id string, options ...option) (*client, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: nc, in: make([]byte, 8<<10)}
	p := &packet.Connect{Version: packet.V5, CleanStart: true, ClientID: []byte(id)}
	for _, o := range options {
		o(p)
	}
	c.add(p)
	if err := c.flush(); err != nil {
		nc.Close()
		return nil, err
	}
	h, body, err := c.next()
	if err != nil {
		nc.Close()
		return nil, err
	}
	var k packet.Connack
	if h.Type != packet.CONNACK {
		err = fmt.Errorf("%s came first", h.Type)
	} else if err = k.Parse(&fromServer, packet.V5, h.Flags, body); err == nil && k.Code != 0 {
		err = errRefused{k.Code}
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	c.present = k.SessionPresent
	return c, nil
}

var fromServer = packet.Rules{From: packet.Server}

// mustDial is dial for a test that has nothing else to say.
func mustDial(t testing.TB, addr, id string, options ...option) *client {
	t.Helper()
	c, err := dial(addr, id, options...)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// add appends packets to what the next flush writes.
func (c *client) add(all ...packet.Packet) {
	for _, p := range all {
		c.out = p.AppendTo(c.out, packet.V5)
	}
}

func (c *client) addPublish(topic, payload string, qos byte, id uint16, dup bool) {
	flags := packet.PublishFlags(qos, dup, false)
	c.out = packet.AppendPublishHead(c.out, flags, topic, id, 1+len(payload))
	c.out = append(append(c.out, 0), payload...)
}

func (c *client) addAck(t packet.Type, id uint16) {
	c.out = packet.AppendAck(c.out, packet.V5, t, id, 0)
}

// flush writes what was added. What the server sends meanwhile waits in the socket: the packets of one flush and their
// answers must fit there, or somebody else must read.
func (c *client) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	c.SetWriteDeadline(time.Now().Add(rig.Patience))
	_, err := c.Write(c.out)
	c.out = c.out[:0]
	return err
}

// next returns the next packet; its body is valid until the call after.
func (c *client) next() (packet.Header, []byte, error) {
	for {
		h, state := packet.Scan(c.in[c.from:c.to], 0)
		if err := state.Err(); err != nil {
			return h, nil, err
		}
		if state == packet.Complete {
			if err := h.Check(packet.V5, packet.Server); err != nil {
				return h, nil, err
			}
			body := c.in[c.from+h.Head : c.from+h.Size()]
			c.from += h.Size()
			return h, body, nil
		}
		if c.from > 0 {
			c.to = copy(c.in, c.in[c.from:c.to])
			c.from = 0
		}
		if c.to == len(c.in) {
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
		c.SetReadDeadline(time.Now().Add(rig.Patience))
		n, err := c.Read(c.in[c.to:])
		c.to += n
		if n == 0 {
			return h, nil, err
		}
	}
}

// buffered tells that a part of the next packet is there.
func (c *client) buffered() bool { return c.to > c.from }

// read is next, parsed into c.publish or c.ack where it is one of these.
func (c *client) read() (packet.Type, error) {
	h, body, err := c.next()
	if err != nil {
		return 0, err
	}
	switch h.Type {
	case packet.PUBLISH:
		return h.Type, c.publish.Parse(&fromServer, packet.V5, h.Flags, body)
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		c.ack.Type = h.Type
		return h.Type, c.ack.Parse(&fromServer, packet.V5, h.Flags, body)
	case packet.DISCONNECT:
		var d packet.Disconnect
		if err := d.Parse(&fromServer, packet.V5, h.Flags, body); err != nil {
			return 0, err
		}
		return h.Type, errEnd{d.Code}
	}
	return h.Type, nil
}

// errEnd is a DISCONNECT of the server.
type errEnd struct{ packet.Code }

func (e errEnd) Error() string { return "disconnected: " + e.Code.String() }

// subscribe asks for filters and waits for the answer.
func (c *client) subscribe(qos byte, filters ...string) error {
	s := &packet.Subscribe{ID: 1}
	for _, f := range filters {
		s.AppendFilter(f, packet.Options(qos))
	}
	c.add(s)
	if err := c.flush(); err != nil {
		return err
	}
	h, body, err := c.next()
	if err != nil {
		return err
	}
	var a packet.Suback
	if h.Type != packet.SUBACK {
		return fmt.Errorf("%s came instead of a SUBACK", h.Type)
	}
	if err := a.Parse(&fromServer, packet.V5, h.Flags, body); err != nil {
		return err
	}
	for i, code := range a.Codes {
		if code != qos {
			return fmt.Errorf("%s: %s", filters[i], packet.Code(code))
		}
	}
	return nil
}

// bye ends the connection in order.
func (c *client) bye() error {
	c.add(&packet.Disconnect{})
	err := c.flush()
	for err == nil {
		_, _, err = c.next()
	}
	c.Close()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
