package stomp

import (
	"bytes"
	"strconv"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// settlement names one delivery.
type settlement struct {
	sub *subscription
	n   uint64
}

func (c *conn) ack(t *core.Turn, f *frame.Frame, o core.Outcome) (mark, *failure) {
	sub, n, bad := c.named(f)
	if bad != nil {
		return mark{}, bad
	}
	in, bad := c.enlist(f, func(*transaction) (action, *failure) {
		a := action{settle: c.covered(nil, sub, n), outcome: o}
		for _, s := range a.settle {
			s.sub.mark(s.n)
		}
		return a, nil
	})
	if in || bad != nil {
		return mark{deferred: true}, bad
	}
	c.subs.buf = c.covered(c.subs.buf[:0], sub, n)
	return c.settle(t, c.subs.buf, o), nil
}

// nack gives a delivery back, or rejects it for good (ST52).
func (c *conn) nack(t *core.Turn, f *frame.Frame) (mark, *failure) {
	requeue := c.room.cfg.NackRequeue
	if v, ok := f.Get("requeue"); ok {
		switch string(v) {
		case "true":
			requeue = true
		case "false":
			requeue = false
		default:
			return mark{}, failed(core.Malformed, "Invalid header", "'requeue' must be true or false")
		}
	}
	if requeue {
		return c.ack(t, f, core.Released)
	}
	return c.ack(t, f, core.Rejected)
}

// idHeaders are looked for in this order (ST51).
var idHeaders = map[frame.Version][]string{
	frame.V10: {"message-id", "id"},
	frame.V11: {"message-id", "id"},
	frame.V12: {"id", "ack", "message-id"},
}

// named finds the unsettled delivery that the frame is about.
func (c *conn) named(f *frame.Frame) (*subscription, uint64, *failure) {
	var id []byte
	for _, name := range idHeaders[c.version] {
		if v, ok := f.Get(name); ok {
			id = v
			break
		}
	}
	if id == nil {
		return nil, 0, failed(core.ProtocolError, "Missing header", "'"+idHeaders[c.version][0]+"' is required")
	}
	tag, n, ok := c.parseID(id)
	if !ok {
		return nil, 0, failed(core.Malformed, "Invalid header", "'"+string(id)+"' is no message id of this connection")
	}
	if sub := c.subs.holding(tag, n); sub != nil {
		return sub, n, nil
	}
	return nil, 0, failed(core.NotFound, "Message not found", "'"+string(id)+"' is unknown or settled")
}

// parseID takes T_<subscription>@@session-<id>@@<n> apart; tag is the part
// before the first separator.
func (c *conn) parseID(id []byte) (tag []byte, n uint64, ok bool) {
	i := bytes.LastIndex(id, []byte("@@"))
	if i < 0 {
		return nil, 0, false
	}
	n, err := strconv.ParseUint(string(id[i+2:]), 10, 64)
	tag, ok = bytes.CutSuffix(id[:i], []byte("@@"+c.id))
	ok = ok && err == nil && (bytes.HasPrefix(tag, []byte("T_")) || bytes.HasPrefix(tag, []byte("Q_")))
	return tag, n, ok
}

// covered appends what an ACK of delivery n settles: itself, or in mode client
// every earlier one of the subscription too (ST50).
func (c *conn) covered(list []settlement, sub *subscription, n uint64) []settlement {
	if sub.mode != ackClient {
		return append(list, settlement{sub, n})
	}
	if c.room.cfg.AckScope != "connection" {
		return sub.upTo(list, n)
	}
	c.subs.each(func(s *subscription) {
		if s.mode == ackClient {
			list = s.upTo(list, n)
		}
	})
	return list
}

// settle ends deliveries and lets the next ones follow.
func (c *conn) settle(t *core.Turn, list []settlement, o core.Outcome) mark {
	var m mark
	for _, s := range list {
		seq, ok := s.sub.take(s.n)
		if !ok {
			continue
		}
		at, pending := s.sub.consumer.Settle(t, seq, o)
		m = later(m, mark{seq: at, pending: pending})
		c.subs.freed(s.sub)
	}
	return m
}
