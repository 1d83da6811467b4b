package coap

import (
	"slices"
	"time"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// maxKeptAnswer is the largest answer, in octets, that is kept for duplicates
// of a request which may as well be executed again (M7).
const maxKeptAnswer = 128

// seen is one request in the window of a peer.
type seen struct {
	at      core.Time
	answer  []byte // the datagram that answered it; nil: none was kept or sent
	id      uint16
	typ     message.Type
	state   seenState
	present bool
}

type seenState uint8

const (
	executing seenState = iota // no answer yet
	answered                   // the answer is kept, or there is none to repeat
	repeat                     // the answer was too large to keep: execute again
)

// dedup is the window of message ids of one peer: a ring that overwrites its
// oldest entry, and forgets by looking at the time when it is asked.
// (RFC 7252, section 4.5)
type dedup struct {
	ring []seen
	at   uint16 // where the next entry goes
}

// find returns the live entry of a message id, nil when there is none. It is
// valid until the next add.
func (d *dedup) find(id uint16, now core.Time) *seen {
	for i := range d.ring {
		e := &d.ring[i]
		if e.id == id && e.present {
			if now < e.at.After(lifetime(e.typ)) {
				return e
			}
			e.present = false
			return nil
		}
	}
	return nil
}

// add enters a request, in the place of the oldest once the ring has limit
// entries. grow is asked before the ring takes n entries more and may refuse
// all but the first.
func (d *dedup) add(id uint16, typ message.Type, now core.Time, limit int, grow func(n int) bool) *seen {
	if len(d.ring) > limit { // it was halved
		d.shrink(limit)
	}
	if n := len(d.ring); int(d.at) == n && n < limit && !d.oldestDead(now) {
		more := min(max(n, 1), limit-n)
		if grow(more) || n == 0 {
			ring := make([]seen, n+more)
			copy(ring, d.ring)
			d.ring = ring
		}
	}
	if int(d.at) >= len(d.ring) {
		d.at = 0
	}
	e := &d.ring[d.at]
	d.at++
	*e = seen{id: id, typ: typ, at: now, present: true, answer: e.answer[:0]}
	return e
}

// oldestDead says that the entry to be overwritten is out of its lifetime, so
// that the ring need not grow.
func (d *dedup) oldestDead(now core.Time) bool {
	return len(d.ring) > 0 && now >= d.ring[0].at.After(lifetime(d.ring[0].typ))
}

// shrink keeps the newest n entries, so that the oldest is the next to be
// overwritten.
func (d *dedup) shrink(n int) {
	at := int(d.at) % len(d.ring)
	ordered := append(slices.Clone(d.ring[at:]), d.ring[:at]...) // the oldest first
	d.ring = slices.Clip(slices.Clone(ordered[len(ordered)-n:]))
	d.at = 0
}

// clear forgets everything and returns how many entries were held.
func (d *dedup) clear() (n int) {
	n = len(d.ring)
	*d = dedup{}
	return n
}

// keep stores what answered the request. Large answers to what may be
// executed again are not kept.
func (e *seen) keep(answer []byte, again bool) {
	if again && len(answer) > maxKeptAnswer {
		e.state = repeat
		return
	}
	e.state = answered
	e.answer = append(e.answer[:0], answer...)
}

func lifetime(t message.Type) time.Duration {
	if t == message.NON {
		return nonLifetime
	}
	return exchangeLifetime
}
