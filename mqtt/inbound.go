package mqtt

import (
	"math/bits"
	"math/rand/v2"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// inbound holds the packet identifiers that the client uses in exchanges that
// are not complete: QoS 1 whose PUBACK waits, QoS 2 until PUBCOMP, SUBSCRIBE
// and UNSUBSCRIBE whose acknowledgement waits. Whether a QoS 2 identifier of a
// connection before is a duplicate the session knows, which outlives this one.
type inbound struct {
	*exchanges       // nil until the first
	count      int32 // QoS 1 and 2 that count against our Receive Maximum
	held       int32 // QoS 2 among them
}

// exchanges is a hash table with open addressing, at most half full.
type exchanges struct {
	slots []exchange // length 0 or a power of two
	used  int
}

// exchange is a slot; id 0: free.
type exchange struct {
	id    uint16
	owed  packet.Type // PUBACK, PUBREC, SUBACK, UNSUBACK
	holds bool        // QoS 2 whose PUBREL has not come: a PUBLISH is a duplicate
}

// scatter is drawn once, so that a client cannot choose identifiers that
// collide.
var scatter = rand.Uint32() | 1

// at is the slot of the identifier, or the free one where it belongs.
func (b *exchanges) at(id uint16) int {
	i := b.home(id)
	for b.slots[i].id != 0 && b.slots[i].id != id {
		i = (i + 1) & (len(b.slots) - 1)
	}
	return i
}

// home is where the search for an identifier begins.
func (b *exchanges) home(id uint16) int {
	return int(spread(uint32(id)*scatter) >> (32 - uint(bits.Len(uint(len(b.slots)-1)))))
}

// spread makes the high bits depend on all: one multiplication alone lets
// identifiers that follow each other fall together, for some that is drawn.
func spread(x uint32) uint32 { return (x ^ x>>16) * 0x9E3779B1 }

// get returns the exchange with that identifier, nil when there is none.
func (b *inbound) get(id uint16) *exchange {
	if b.exchanges == nil || b.used == 0 || id == 0 {
		return nil
	}
	if x := &b.slots[b.at(id)]; x.id == id {
		return x
	}
	return nil
}

// begin notes an exchange, in place of one whose last answer waits.
func (b *inbound) begin(id uint16, owed packet.Type) {
	if x := b.get(id); x != nil {
		b.end(id, x.owed)
	}
	if b.exchanges == nil {
		b.exchanges = new(exchanges)
	}
	if 2*b.used >= len(b.slots) {
		b.grow()
	}
	x := &b.slots[b.at(id)]
	b.used++
	*x = exchange{id: id, owed: owed, holds: owed == packet.PUBREC}
	if owed == packet.PUBACK || owed == packet.PUBREC {
		b.count++
	}
	if owed == packet.PUBREC {
		b.held++
	}
}

func (b *exchanges) grow() {
	old := b.slots
	b.slots = make([]exchange, max(4, 2*len(old)))
	for _, x := range old {
		if x.id != 0 {
			b.slots[b.at(x.id)] = x
		}
	}
}

// end forgets it, if it is of that kind; an identifier that is not known, of a
// connection before, changes nothing, so that the quota never exceeds its
// maximum. MF4
func (b *inbound) end(id uint16, owed packet.Type) {
	x := b.get(id)
	if x == nil || x.owed != owed {
		return
	}
	b.remove(b.at(id))
	if owed == packet.PUBACK || owed == packet.PUBREC {
		b.count--
	}
	if owed == packet.PUBREC {
		b.held--
	}
}

// remove frees a slot and moves up those behind it that would not be found any
// more.
func (b *exchanges) remove(hole int) {
	mask := len(b.slots) - 1
	for i := (hole + 1) & mask; b.slots[i].id != 0; i = (i + 1) & mask {
		if (i-b.home(b.slots[i].id))&mask >= (i-hole)&mask {
			b.slots[hole] = b.slots[i]
			hole = i
		}
	}
	b.slots[hole] = exchange{}
	b.used--
}

// shrink gives the table back when it is empty.
func (b *inbound) shrink() {
	if b.exchanges != nil && b.used == 0 {
		b.exchanges = nil
	}
}

// any tells that an exchange is open.
func (b *inbound) any() bool { return b.exchanges != nil && b.used > 0 }

// owed returns what the identifier is used for.
func (b *inbound) owed(id uint16) (packet.Type, bool) {
	if x := b.get(id); x != nil {
		return x.owed, true
	}
	return 0, false
}
