package amqp091

import (
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// confirms numbers the publishes of a channel and answers each once, in order
// (AQ41). open holds those after done that are not answered.
type confirms struct {
	selected bool
	done     uint64 // every tag up to it is answered
	open     []confirm
	listed   bool // in the connection's list of those with something to write
}

type confirm struct {
	seq     uint64 // of the core's watermark, when pending
	pending bool
	refused bool
}

// confirmSelect: repeated is fine, on a transaction's channel it is not.
func (ch *channel) confirmSelect(m *wire.ConfirmSelect) error {
	if ch.tx != nil {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "cannot switch from tx to confirm mode"}
	}
	ch.confirms.selected = true
	if !m.NoWait {
		ch.send(&wire.ConfirmSelectOk{})
	}
	return nil
}

// add notes one publish.
func (x *confirms) add(ch *channel, seq uint64, pending, refused bool) {
	x.open = append(x.open, confirm{seq, pending, refused})
	ch.c.l.count.unconfirmed.Add(1)
	if !x.listed {
		x.listed = true
		ch.c.dirty = append(ch.c.dirty, ch)
	}
	if len(x.open) >= ch.c.l.config.MaxUnconfirmed {
		ch.c.pause()
	}
}

// last is what the newest unanswered publish waits for.
func (x *confirms) last() (seq uint64, pending bool) {
	for i := len(x.open) - 1; i >= 0; i-- {
		if x.open[i].pending {
			return x.open[i].seq, true
		}
	}
	return 0, false
}

// flush answers what is decided: a run of the same answer at once.
func (x *confirms) flush(ch *channel) {
	s := ch.c.session
	if s == nil || len(x.open) == 0 {
		return
	}
	safe := s.Safe()
	n := 0
	for n < len(x.open) {
		refused, decided := x.open[n].verdict(s, safe)
		if !decided {
			break
		}
		run := 1
		for n+run < len(x.open) {
			if r, d := x.open[n+run].verdict(s, safe); !d || r != refused {
				break
			}
			run++
		}
		for i := range x.open[n : n+run] {
			if refused && x.open[n+i].pending { // the store failed
				ch.c.l.refused(core.Unavailable)
			}
		}
		n += run
		x.done += uint64(run)
		x.answer(ch, refused, run > 1)
	}
	x.open = append(x.open[:0], x.open[n:]...)
	down(ch.c.l.count.unconfirmed, n)
}

func (x *confirms) answer(ch *channel, refused, multiple bool) {
	if refused {
		ch.send(&wire.BasicNack{DeliveryTag: x.done, Multiple: multiple})
		return
	}
	m := wire.BasicAck{DeliveryTag: x.done, Multiple: multiple}
	ch.c.out.B = m.AppendFrame(ch.c.out.B, ch.id)
}

// verdict tells whether the publish is decided and how. A store that failed
// refuses.
func (x *confirm) verdict(s *core.Session, safe uint64) (refused, decided bool) {
	switch {
	case !x.pending:
		return x.refused, true
	case x.seq > safe:
		return false, false
	}
	return s.Failed(x.seq), true
}

// flushConfirms writes the confirms that are due at the end of a call: one
// frame for all publishes of a read (AQ42).
func (c *Conn) flushConfirms() {
	if c.session == nil || len(c.dirty) == 0 {
		return
	}
	left := c.dirty[:0]
	for _, ch := range c.dirty {
		ch.confirms.flush(ch)
		if len(ch.confirms.open) > 0 {
			left = append(left, ch)
		} else {
			ch.confirms.listed = false
		}
	}
	clear(c.dirty[len(left):])
	c.dirty = left
	c.resume()
}

// unconfirmed tells whether a channel has as many open confirms as it may.
func (c *Conn) unconfirmed() bool {
	for _, ch := range c.dirty {
		if len(ch.confirms.open) >= c.l.config.MaxUnconfirmed {
			return true
		}
	}
	return false
}
