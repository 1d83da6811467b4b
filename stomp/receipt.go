package stomp

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// receipts are the answers that are owed, in the order of their frames (ST59).
// A frame that must become durable has an entry without a receipt header too:
// if it fails, the client learns it.
type receipts struct {
	list []owed
	head int
}

type owed struct {
	mark
	id string
}

// add notes the answer to one frame.
func (r *receipts) add(m mark, id string) {
	if id == "" && !m.pending && !m.last {
		return
	}
	if r.head > 0 && r.head == len(r.list) {
		r.list, r.head = r.list[:0], 0
	}
	r.list = append(r.list, owed{m, id})
}

// due takes the first entry if it is safe.
func (r *receipts) due(safe uint64) (owed, bool) {
	if r.head == len(r.list) {
		return owed{}, false
	}
	o := r.list[r.head]
	if o.pending && o.seq > safe {
		return owed{}, false
	}
	r.list[r.head] = owed{}
	if r.head++; r.head == len(r.list) {
		r.head = 0
		if r.list = r.list[:0]; cap(r.list) > 1024 {
			r.list = nil
		}
	}
	return o, true
}

// maxOwed is how many answers may wait for the store before the connection is
// read no further.
const maxOwed = 4096

// waiting is how many answers are owed.
func (r *receipts) waiting() int { return len(r.list) - r.head }

// brake stops reading while too many answers are owed, and goes on when half
// of them are given (ST62).
func (c *conn) brake(t *core.Turn, out *adapters.Output) {
	switch n := c.receipts.waiting(); {
	case c.state != open:
	case !c.braked && n >= maxOwed:
		c.braked = true
		out.PauseReading()
	case c.braked && n <= maxOwed/2:
		c.braked = false
		c.beat.lastIn = t.Now // what it said meanwhile was not read
		out.ResumeReading()
	}
}

// answer writes every RECEIPT that is due, only after the core's
// acknowledgement (ST58).
func (c *conn) answer(t *core.Turn, out *adapters.Output) {
	if c.session == nil {
		return
	}
	safe := c.session.Safe()
	for {
		o, ok := c.receipts.due(safe)
		if !ok {
			return
		}
		if o.pending && c.session.Failed(o.seq) {
			c.fail(t, fromReason(core.Unavailable, ""), o.id, out)
			return
		}
		if o.id != "" {
			out.B = frame.AppendCommand(out.B, frame.Receipt)
			out.B = frame.AppendHeader(out.B, c.version, "receipt-id", o.id)
			out.B = append(out.B, '\n', 0)
			c.ended(frame.Receipt, out)
		}
		if o.opens != nil {
			o.opens.held = false
			c.subs.serve(o.opens)
		}
		if o.last { // ST21
			c.leave(t, core.Normal)
			out.CloseAfterFlush(core.Normal)
			return
		}
	}
}
