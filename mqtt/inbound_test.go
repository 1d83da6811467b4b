package mqtt

import (
	"math/rand/v2"
	"testing"

	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MF4_TheQuotaNeverExceedsItsMaximum(t *testing.T) {
	t.Parallel()
	var b inbound
	b.begin(1, packet.PUBACK)
	b.begin(2, packet.PUBREC)
	b.begin(3, packet.SUBACK)
	if b.count != 2 {
		t.Fatalf("count = %d, want 2", b.count)
	}
	for range 3 {
		b.end(2, packet.PUBREC)
		b.end(99, packet.PUBACK)
		b.end(3, packet.SUBACK)
		b.end(1, packet.PUBREC) // of another kind
	}
	if b.count != 1 {
		t.Errorf("count = %d, want 1", b.count)
	}
	if owed, ok := b.owed(1); !ok || owed != packet.PUBACK {
		t.Errorf("owed %v, %v", owed, ok)
	}
	b.end(1, packet.PUBACK)
	if b.shrink(); b.exchanges != nil || b.count != 0 {
		t.Error("an empty table is kept")
	}
}

// Who uses an identifier again before its PUBCOMP has one exchange, not two.
func TestAnIdentifierThatIsUsedAgainIsOneExchange(t *testing.T) {
	t.Parallel()
	var b inbound
	b.begin(7, packet.PUBREC)
	b.begin(7, packet.PUBREC)
	b.begin(7, packet.PUBACK)
	if b.count != 1 || b.held != 0 || b.used != 1 {
		t.Errorf("%d, %d, %d", b.count, b.held, b.used)
	}
}

// Whatever is drawn, those that a client counts up are found with a look or two.
func TestIdentifiersThatFollowEachOtherAreFoundSoon(t *testing.T) {
	t.Parallel()
	const slots, n = 128, 64
	for draw := range 10_000 {
		r := rand.New(rand.NewPCG(uint64(draw), 1))
		scatter := r.Uint32() | 1
		var taken [slots]bool
		looks := 0
		for id := range uint32(n) {
			i := spread((1+id)*scatter) >> 25
			for looks++; taken[i]; looks++ {
				i = (i + 1) % slots
			}
			taken[i] = true
		}
		if looks > 5*n {
			t.Fatalf("draw %d, %#x: %d looks for %d identifiers", draw, scatter, looks, n)
		}
	}
}

// Beside a map, with identifiers that come and go at random, all of them at the
// most.
func TestInboundIdentifiersAreThoseOfAMap(t *testing.T) {
	t.Parallel()
	var b inbound
	model := map[uint16]packet.Type{}
	for step := range 400_000 {
		id := uint16(rand.IntN(1<<(2+step/30_000))) + 1
		if id == 0 {
			continue
		}
		kind := []packet.Type{packet.PUBACK, packet.PUBREC, packet.SUBACK}[rand.IntN(3)]
		switch _, used := model[id]; {
		case !used && (step == 0 || rand.IntN(3) > 0):
			b.begin(id, kind)
			model[id] = kind
		case used:
			if b.end(id, kind); model[id] == kind {
				delete(model, id)
			}
		}
		if owed, used := b.owed(id); owed != model[id] || used != (model[id] != 0) || b.used != len(model) || 2*b.used > len(b.slots)+2 {
			t.Fatalf("step %d: %d is %v, %v, want %v; %d of %d", step, id, owed, used, model[id], b.used, len(model))
		}
	}
	for id, kind := range model {
		if owed, _ := b.owed(id); owed != kind {
			t.Fatalf("%d is %v, want %v", id, owed, kind)
		}
	}
	for id := 65535; id > 0; id-- {
		if _, used := b.owed(uint16(id)); !used {
			b.begin(uint16(id), packet.SUBACK)
		}
	}
	if b.used != 65535 || b.get(0) != nil {
		t.Errorf("%d are in use", b.used)
	}
}

func BenchmarkInbound(b *testing.B) {
	var x inbound
	id := uint16(0)
	for b.Loop() {
		if id++; id == 0 {
			continue
		}
		x.begin(id, packet.PUBREC)
		x.end(id-63, packet.PUBREC)
	}
}
