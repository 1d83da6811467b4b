package amqp091

import (
	"strconv"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// bodyAhead bounds what is reserved for a body before its octets have come
// (AQ6).
const bodyAhead = 64 << 10

// content is one basic.publish with its header and body on their way in
// (AQ4). Its buffers are kept from one publish to the next.
type content struct {
	stage      stage
	exchange   []byte
	key        []byte
	mandatory  bool
	properties []byte
	size       uint64
	buffer     []byte
}

type stage uint8

const (
	idle stage = iota
	wantHeader
	wantBody
)

func (x *content) expected() bool { return x.stage != idle }

// publish takes the method that opens a content.
func (ch *channel) publish(payload []byte) error {
	var m wire.BasicPublish
	if err := m.Parse(payload); err != nil {
		return named(early(err), wire.IDBasicPublish)
	}
	if m.Immediate {
		return &wire.Error{Code: wire.NotImplemented, Text: "immediate is not offered", ID: wire.IDBasicPublish}
	}
	x := &ch.content
	x.exchange = append(x.exchange[:0], m.Exchange...)
	x.key = append(x.key[:0], m.RoutingKey...)
	x.mandatory = m.Mandatory
	x.stage = wantHeader
	return nil
}

// header takes the content header.
func (ch *channel) header(payload []byte) error {
	x := &ch.content
	if x.stage != wantHeader {
		return &wire.Error{Code: wire.UnexpectedFrame, Text: "content header without a publish"}
	}
	var h wire.Header
	if err := h.Parse(payload); err != nil {
		return early(err)
	}
	id := wire.IDBasicPublish
	if h.Class != id.Class() {
		return &wire.Error{Code: wire.FrameError, Text: "content header of class " + strconv.Itoa(int(h.Class)), ID: id}
	}
	if limit := ch.c.l.limits.PropertyBytes + 16*256; len(h.Properties) > limit {
		return &wire.Error{Code: wire.ContentTooLarge, Text: "properties above " + strconv.Itoa(limit) + " octets", ID: id}
	}
	if h.BodySize > uint64(ch.c.l.config.MaxMessage) { // AQ6
		return &wire.Error{Code: wire.ContentTooLarge, Text: "message of " + strconv.FormatUint(h.BodySize, 10) + " octets is above max_message", ID: id}
	}
	x.properties = append(x.properties[:0], h.Properties...)
	x.size = h.BodySize
	x.stage = wantBody
	if x.size == 0 {
		return ch.complete(nil, false)
	}
	return nil
}

// body takes a body frame. A body of one frame is not copied here.
func (ch *channel) body(payload []byte) error {
	x := &ch.content
	have := uint64(len(x.buffer)) + uint64(len(payload))
	switch {
	case x.stage != wantBody:
		return &wire.Error{Code: wire.UnexpectedFrame, Text: "body without a content header"}
	case have > x.size:
		return &wire.Error{Code: wire.FrameError, Text: "body is longer than announced", ID: wire.IDBasicPublish}
	case have == x.size && x.buffer == nil:
		return ch.complete(payload, false)
	}
	if err := ch.c.buffered(len(payload)); err != nil {
		return err
	}
	if x.buffer == nil {
		x.buffer = make([]byte, 0, min(x.size, uint64(len(payload))+bodyAhead))
	}
	x.buffer = append(x.buffer, payload...)
	if have < x.size {
		return nil
	}
	whole := x.buffer
	x.forget(ch.c)
	return ch.complete(whole, true)
}

// buffered counts octets of bodies that are not complete: all channels of a
// connection together may hold so many.
func (c *Conn) buffered(n int) error {
	if c.partial += n; c.partial > partialBodies*c.l.config.MaxMessage {
		return &wire.Error{Code: wire.ResourceError, Text: "too many incomplete messages", ID: wire.IDBasicPublish}
	}
	return nil
}

// partialBodies is how many messages of the largest size may be incomplete.
const partialBodies = 4

// forget gives the buffer back.
func (x *content) forget(c *Conn) {
	c.partial -= len(x.buffer)
	x.buffer = nil
}
