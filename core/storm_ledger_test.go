package core_test

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/entrepot/entrepot/core"
)

// copyOf is one message in one queue, as those outside know it.
type copyOf struct {
	n       int
	qos     uint8
	born    int  // the life in which it was published
	acked   bool // its publisher was told that it is safe
	maybe   bool // its publisher was told nothing before the crash
	absent  bool // the crash took it: its publisher's identifier is not remembered
	pending bool // the publisher still waits
	slack   bool // a crash may have undone its end

	held     bool // delivered in this attachment, and not settled
	received bool // the application has it
	ended    int  // the step in which it was settled, purged or missed; 0: it was not
	endLife  int
}

// book is what a ledger says of one queue: in which order what is owed to whom.
type book struct {
	name   string
	qos    uint8 // of the subscription
	most   int   // messages; beyond, the oldest that was not sent is dropped; 0: no limit
	window int   // in flight
	left   int   // the step in which its receiver left last
	loose  bool  // a crash may have marked all that waits as sent, so that at a limit what follows is dropped
	apart  bool  // messages of QoS 2 go another way than others: each keep their order
	copies []*copyOf
	ids    map[uint64]int // QoS 2: what the receiver has not released yet
}

func (b *book) put(x copyOf) {
	x.qos = min(x.qos, b.qos)
	b.copies = append(b.copies, &x)
}

func (b *book) find(n int) *copyOf {
	if i, ok := slices.BinarySearchFunc(b.copies, n, func(x *copyOf, n int) int { return x.n - n }); ok {
		return b.copies[i]
	}
	return nil
}

func (s *storm) ended(x *copyOf) {
	if x.ended == 0 {
		x.ended, x.endLife = s.step, s.life
	}
}

// recorded moves the end of a copy that ended before its record was stored: the
// record was written all the same, and its end is in the change that follows.
// So a power cut may part the two, and only what is published from here on is
// not stored without the end.
func (s *storm) recorded(x *copyOf) {
	if x.ended != 0 {
		x.ended = s.step
	}
}

// mayMiss tells why a copy that is older than one that comes need not have come.
func (s *storm) mayMiss(b *book, i int, of *copyOf) bool {
	x := b.copies[i]
	return x.held || x.ended != 0 || x.maybe || x.absent || x.slack || b.apart && x.qos != of.qos || b.most > 0 && (b.loose || len(b.copies)-i > b.most-b.window)
}

// delivered enters a delivery, and says whether the receiver has to complete it.
func (s *storm) delivered(b *book, d *core.Delivery) {
	n, err := strconv.Atoi(string(d.Message.Payload))
	x := b.find(n)
	switch {
	case err != nil || x == nil:
		s.fail("%s: %q was never sent to it", b.name, d.Message.Payload)
	case x.held:
		s.fail("%s: %d comes while it is in flight", b.name, n)
	case x.ended != 0:
		s.fail("%s: %d comes after its end, in step %d of life %d; safe is what was before step %d", b.name, n, x.ended, x.endLife, s.synced)
	case x.absent:
		s.fail("%s: %d comes, whose publisher's identifier is not remembered", b.name, n)
	case d.QoS != x.qos:
		s.fail("%s: %d has QoS %d, want %d", b.name, n, d.QoS, x.qos)
	}
	for i, older := range b.copies {
		switch {
		case older.n >= n:
		case !s.mayMiss(b, i, x):
			s.fail("%s: %d comes, and %d, which is older, did not: %+v", b.name, n, older.n, *older)
		case !older.held && older.ended == 0 && !(b.apart && older.qos != x.qos):
			s.misses(b, older)
		}
		if older.n >= n {
			break
		}
	}
	if x.maybe && x.born < s.life && b.most == 0 {
		s.fate(b, n, true)
	}
	x.held = true
	s.receive(b, d, x)
}

// misses notes that a copy is not there.
func (s *storm) misses(b *book, x *copyOf) {
	s.ended(x)
	if x.maybe && !x.slack && b.most == 0 { // else it was there, and its end has survived
		s.fate(b, x.n, false)
	}
}

// fate: a message whose publisher was told nothing is in all of its queues, or
// in none.
func (s *storm) fate(b *book, n int, there bool) {
	was, known := s.fates[n]
	if known && was.there != there {
		s.fail("%d is there in one of %s and %s, and not in the other", n, b.name, was.where)
	}
	s.fates[n] = fate{there, b.name}
}

type fate struct {
	there bool
	where string
}

// receive is what the protocol makes of it.
func (s *storm) receive(b *book, d *core.Delivery, x *copyOf) {
	if d.Redelivered() && !x.received && b.ids != nil && !b.loose && !b.apart {
		s.fail("%s: %d is marked, and was never sent", b.name, x.n)
	}
	if d.QoS < 2 || b.ids == nil {
		if x.received && b.ids != nil && !b.apart && !d.Redelivered() { // what a shared queue has sent is not stored
			s.fail("%s: %d comes again without a mark", b.name, x.n)
		}
		x.received = true
		return
	}
	n, known := b.ids[d.Seq]
	switch {
	case d.Received && !x.received:
		s.fail("%s: the second half of %d comes, and the first never did", b.name, x.n)
	case d.Received:
	case known && n != x.n:
		s.fail("%s: %d comes under the identifier of %d", b.name, x.n, n)
	case !known && x.received: // a new one for the receiver
		s.fail("%s: the application gets %d twice", b.name, x.n)
	default:
		b.ids[d.Seq] = x.n
		x.received = true
	}
}

// crashed is what a receiver knows of its queue when the other side is gone.
func (b *book) crashed(synced int) {
	for _, x := range b.copies {
		x.held = false
		if x.ended >= synced {
			x.ended, x.slack = 0, x.slack || x.ended != 0
		}
		if x.pending {
			x.pending, x.maybe = false, true
		}
	}
}

// prune forgets what can come no more.
func (s *storm) prune(b *book) {
	i := 0
	for i < len(b.copies) && b.copies[i].ended != 0 && b.copies[i].ended < s.synced && !b.copies[i].pending {
		i++
	}
	if i > 200 {
		b.copies = slices.Delete(b.copies, 0, i)
	}
}

// owed is what has to come yet.
func (b *book) owed() (n int) {
	for i := range b.copies {
		if b.isOwed(i) {
			n++
		}
	}
	return n
}

func (b *book) isOwed(i int) bool {
	x := b.copies[i]
	return x.ended == 0 && !x.maybe && !x.absent && !x.slack && (b.most == 0 || !b.loose && len(b.copies)-i <= b.most-b.window)
}

func (b *book) String() (text string) {
	for i, x := range b.copies {
		if b.isOwed(i) {
			text += fmt.Sprintf(" %+v", *x)
		}
	}
	return b.name + ":" + text
}
