package amqp091

import (
	"strconv"
	"time"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// unacked is what a channel was given and has not settled, in the order of
// delivery tags.
type unacked struct {
	items []unackedItem
	head  int // those before are settled
	count int // of those that are not settled
}

type unackedItem struct {
	tag  uint64
	seq  uint64
	from *core.Consumer // nil once it is settled
	cons *consumer      // nil: basic.get
	at   core.Time
	tx   bool // settled in the transaction under way
}

func (u *unacked) len() int { return u.count }

func (u *unacked) add(it unackedItem) {
	u.items = append(u.items, it)
	u.count++
}

// find is the place of a tag that is outstanding, be it settled in a
// transaction or not.
func (u *unacked) find(tag uint64) (i int, ok bool) {
	lo, hi := u.head, len(u.items)
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); u.items[mid].tag < tag {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(u.items) && u.items[lo].tag == tag && u.items[lo].from != nil
}

// settle ends one delivery.
func (u *unacked) settle(t *core.Turn, it *unackedItem, o core.Outcome) {
	if it.from == nil {
		return
	}
	it.from.Settle(t, it.seq, o)
	it.from = nil
	u.count--
	if cons := it.cons; cons != nil {
		cons.held--
		cons.ch.taken--
		switch {
		case cons.ended && cons.held == 0:
			cons.leave()
		case cons.hungry && cons.ch.shared == 0: // else all of the channel are woken, in their turn
			cons.want()
		}
	}
}

// promise marks what a transaction settles once it is committed: nothing else
// settles it meanwhile.
func (u *unacked) promise(tag uint64, multiple bool) {
	i, ok := u.find(tag)
	switch {
	case multiple:
		for j := u.head; j < len(u.items) && u.items[j].tag <= tag; j++ {
			u.items[j].tx = true
		}
	case ok:
		u.items[i].tx = true
	}
}

// withdraw takes the marks off.
func (u *unacked) withdraw() {
	for i := range u.items {
		u.items[i].tx = false
	}
}

// trim forgets what is settled at the front.
func (u *unacked) trim() {
	for u.head < len(u.items) && u.items[u.head].from == nil {
		u.items[u.head] = unackedItem{}
		u.head++
	}
	switch {
	case u.head == len(u.items):
		u.items, u.head = u.items[:0], 0
	case u.head > 32 && 2*u.head > len(u.items):
		m := copy(u.items, u.items[u.head:])
		clear(u.items[m:])
		u.items, u.head = u.items[:m], 0
	}
}

// release gives everything back, in order (AQ50).
func (u *unacked) release(t *core.Turn) {
	for i := range u.items {
		if it := &u.items[i]; it.from != nil {
			it.from.Settle(t, it.seq, core.Released)
		}
	}
	*u = unacked{}
}

// ackFrame reads a basic.ack without allocating.
func (ch *channel) ackFrame(payload []byte) error {
	var m wire.BasicAck
	if err := m.Parse(payload); err != nil {
		return named(early(err), wire.IDBasicAck)
	}
	return named(ch.settle(m.DeliveryTag, m.Multiple, core.Accepted), wire.IDBasicAck)
}

// nack gives back or rejects (AQ49).
func (ch *channel) nack(tag uint64, multiple, requeue bool) error {
	if requeue {
		return ch.settle(tag, multiple, core.Released)
	}
	return ch.settle(tag, multiple, core.Rejected)
}

// settle ends deliveries, in a transaction once it is committed.
func (ch *channel) settle(tag uint64, multiple bool, o core.Outcome) error {
	if tag == 0 && multiple {
		tag = ch.tag
		if ch.unacked.len() == 0 {
			return nil
		}
	} else if i, ok := ch.unacked.find(tag); !ok || ch.unacked.items[i].tx {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "unknown delivery tag " + strconv.FormatUint(tag, 10)}
	}
	if ch.tx != nil {
		ch.unacked.promise(tag, multiple)
		return ch.tx.settle(ch, tag, multiple, o)
	}
	ch.apply(tag, multiple, o)
	return nil
}

func (ch *channel) apply(tag uint64, multiple bool, o core.Outcome) {
	u := &ch.unacked
	i, ok := u.find(tag)
	before := u.count
	switch {
	case multiple:
		for j := u.head; j < len(u.items) && u.items[j].tag <= tag; j++ {
			u.settle(ch.c.t, &u.items[j], o)
		}
	case ok:
		u.settle(ch.c.t, &u.items[i], o)
	}
	ch.settled(before)
}

// settled follows the end of deliveries, of which before were outstanding.
func (ch *channel) settled(before int) {
	down(ch.c.l.count.unacked, before-ch.unacked.count)
	ch.unacked.trim()
	if ch.shared > 0 {
		ch.wakeConsumers()
	}
}

// recover gives everything back; to the same consumer is not offered (AQ50).
func (ch *channel) recover(requeue, reply bool) error {
	if !requeue {
		return &wire.Error{Code: wire.NotImplemented, Text: "recover without requeue is not offered"}
	}
	ch.recoverAll()
	if reply {
		ch.send(&wire.BasicRecoverOk{})
	}
	return nil
}

// recoverAll returns all but what a transaction settles (AQ43).
func (ch *channel) recoverAll() {
	u := &ch.unacked
	before := u.count
	for i := range u.items {
		if !u.items[i].tx {
			u.settle(ch.c.t, &u.items[i], core.Released)
		}
	}
	ch.settled(before)
}

// oldest is when the delivery that waits longest was sent.
func (u *unacked) oldest() (at core.Time, ok bool) {
	if u.count == 0 {
		return 0, false
	}
	return u.items[u.head].at, true // trim left one that is outstanding there
}

// checkConsumers closes channels that hold a delivery for too long (AQ51).
func (c *Conn) checkConsumers(now core.Time) {
	for _, ch := range c.channels {
		if at, ok := ch.unacked.oldest(); ok && !ch.closing && now >= at.After(c.l.config.ConsumerTimeout) {
			text := "delivery acknowledgement timed out after " + c.l.config.ConsumerTimeout.String()
			ch.fault(&wire.Error{Code: wire.PreconditionFailed, Text: text})
		}
	}
}

// consumersDue is when to look next: seldom, since the time-out is long.
func (c *Conn) consumersDue() core.Time {
	for _, ch := range c.channels {
		if ch.unacked.len() > 0 {
			return c.t.Now.After(min(time.Minute, c.l.config.ConsumerTimeout))
		}
	}
	return 0
}
