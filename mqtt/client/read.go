package client

import (
	"io"
	"net"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// maxAlias is the Topic Alias Maximum that we offer.
const maxAlias = 16

// rules are for what a server sends.
var rules = packet.Rules{From: packet.Server, MaxProperties: 1 << 16, MaxPropBytes: packet.MaxVarint}

// reader yields the packets of a connection.
type reader struct {
	conn     net.Conn
	buf      []byte
	from, to int
}

func newReader(conn net.Conn) *reader { return &reader{conn: conn, buf: make([]byte, 64<<10)} }

// next blocks for one packet; its body is valid until the next call.
func (r *reader) next(v packet.Version) (packet.Header, []byte, error) {
	for {
		h, state := packet.Scan(r.buf[r.from:r.to], packet.MaxVarint)
		if err := state.Err(); err != nil {
			return h, nil, err
		}
		if state == packet.Complete {
			if err := h.Check(v, packet.Server); err != nil {
				return h, nil, err
			}
			body := r.buf[r.from+h.Head : r.from+h.Size()]
			r.from += h.Size()
			return h, body, nil
		}
		r.room()
		n, err := r.conn.Read(r.buf[r.to:])
		r.to += n
		if n == 0 && err != nil {
			if err == io.EOF && r.to > r.from {
				err = io.ErrUnexpectedEOF
			}
			return h, nil, err
		}
	}
}

// room makes place behind what was read; the buffer grows as bytes arrive.
func (r *reader) room() {
	if r.from > 0 {
		r.to = copy(r.buf, r.buf[r.from:r.to])
		r.from = 0
	}
	if r.to == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
}

// read serves the connection until its end.
func (c *Client) read(r *reader) {
	var p packet.Publish
	for {
		h, body, err := r.next(c.o.Version)
		if err == nil {
			err = c.handle(&p, h, body)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

func (c *Client) handle(p *packet.Publish, h packet.Header, body []byte) error {
	v := c.o.Version
	switch h.Type {
	case packet.PUBLISH:
		if err := p.Parse(&rules, v, h.Flags, body); err != nil {
			return err
		}
		return c.onPublish(p)
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		a := packet.Ack{Type: h.Type}
		if err := a.Parse(&rules, v, h.Flags, body); err != nil {
			return err
		}
		return c.onAck(&a)
	case packet.SUBACK:
		var a packet.Suback
		if err := a.Parse(&rules, v, h.Flags, body); err != nil {
			return err
		}
		c.onReply(a.ID, a.Codes, nil)
	case packet.UNSUBACK:
		var a packet.Unsuback
		if err := a.Parse(&rules, v, h.Flags, body); err != nil {
			return err
		}
		c.onReply(a.ID, a.Codes, nil)
	case packet.PINGRESP:
		c.mu.Lock()
		c.pinged = false
		c.mu.Unlock()
	case packet.DISCONNECT:
		var d packet.Disconnect
		if err := d.Parse(&rules, v, h.Flags, body); err != nil {
			return err
		}
		return refused(packet.DISCONNECT, d.Code, &d.Properties)
	case packet.AUTH:
		var a packet.Auth
		if err := a.Parse(&rules, v, h.Flags, body); err != nil {
			return err
		}
		return c.onAuth(&a)
	default:
		return errUnasked
	}
	return nil
}

func refused(t packet.Type, code packet.Code, p *packet.Properties) error {
	text := code.String()
	if p.Has(packet.ReasonString) {
		text = string(p.Str(packet.ReasonString))
	}
	return &Refused{Packet: t, Code: code, Text: text}
}

// onPublish hands a message over, once if it is of QoS 2, and acknowledges it.
func (c *Client) onPublish(p *packet.Publish) error {
	topic := string(p.Topic)
	if alias := uint16(p.Properties.Num(packet.TopicAlias, 0)); alias != 0 {
		if alias > maxAlias {
			return errAlias // [MQTT-3.1.2-26] [MQTT-3.1.2-27]
		}
		if topic != "" {
			c.aliases[alias] = topic
		} else if topic = c.aliases[alias]; topic == "" {
			return errUnasked
		}
	}
	if p.QoS == 2 {
		if _, again := c.held[p.ID]; !again {
			c.held[p.ID] = struct{}{}
			c.o.OnMessage(received(p, topic))
		}
		c.send(&packet.Ack{Type: packet.PUBREC, ID: p.ID})
		return nil
	}
	c.o.OnMessage(received(p, topic))
	if p.QoS == 1 {
		c.send(&packet.Ack{Type: packet.PUBACK, ID: p.ID})
	}
	return nil
}
