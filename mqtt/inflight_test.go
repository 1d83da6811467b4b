package mqtt

import (
	"math/rand/v2"
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestMQTT_MQ2_IdentifiersAreNonZeroAndUnused(t *testing.T) {
	t.Parallel()
	var f inflight
	c := new(core.Consumer)
	held := map[uint16]bool{}
	for i := range 3 * 65535 {
		id := f.next(flight{consumer: c, seq: uint64(i), counts: true})
		if id == 0 || held[id] {
			t.Fatalf("identifier %d given out while in use", id)
		}
		held[id] = true
		if i%251 == 0 { // a straggler that is never acknowledged
			continue
		}
		f.done(f.get(id))
		delete(held, id)
		if len(held) > 200 {
			for id := range held {
				f.done(f.get(id))
			}
			clear(held)
		}
	}
	if f.open.used != len(held) || f.open.quota != len(held) {
		t.Errorf("%d used, %d counted, want %d", f.open.used, f.open.quota, len(held))
	}
}

func TestMQTT_MQ17_IdentifiersAreTakenRoundRobin(t *testing.T) {
	t.Parallel()
	var f inflight
	c := new(core.Consumer)
	for want := uint16(1); want < 100; want++ {
		id := f.next(flight{consumer: c})
		if id != want {
			t.Fatalf("got %d, want %d", id, want)
		}
		f.done(f.get(id))
	}
	f.last = 65535
	if id := f.next(flight{consumer: c}); id != 1 {
		t.Errorf("after 65535 comes %d, want 1", id)
	}
}

func TestMQTT_MF1_OnlyWhatCountsTakesQuota(t *testing.T) {
	t.Parallel()
	var f inflight
	c := new(core.Consumer)
	f.put(flight{consumer: c, id: 7, counts: true})
	f.put(flight{consumer: c, id: 8, stage: released}) // a resent PUBREL
	if f.free(10) != 9 {
		t.Errorf("free = %d, want 9", f.free(10))
	}
	f.done(f.get(7))
	f.done(f.get(8))
	if f.free(10) != 10 || f.open.used != 0 {
		t.Errorf("free = %d, used = %d", f.free(10), f.open.used)
	}
	f.shrink()
	if f.open != nil || f.get(7) != nil {
		t.Error("an empty table is kept")
	}
}

func TestMQTT_MQ15_IdentifiersOfBeforeAreRestored(t *testing.T) {
	t.Parallel()
	var f inflight
	c := new(core.Consumer)
	for _, id := range []uint16{1, 257, 513, 65281, 2} { // all but the last share their low bits
		if !f.restore(flight{consumer: c, id: id}) {
			t.Fatalf("%d was not restored", id)
		}
	}
	for _, id := range []uint16{1, 257, 513, 65281, 2} {
		if f.get(id) == nil {
			t.Errorf("%d is lost", id)
		}
	}
	if f.restore(flight{consumer: c, id: 257}) {
		t.Error("an identifier in use was restored again")
	}
	if f.put(flight{consumer: c, id: 0}) {
		t.Error("identifier 0 was taken")
	}
}

// TestMQTT_MQ15_AnIdentifierThatFollowsFromANumberIsFree: what other queues
// deliver stays out of the way of the own one, whatever their rates.
func TestMQTT_MQ15_AnIdentifierThatFollowsFromANumberIsFree(t *testing.T) {
	t.Parallel()
	for others := range 4 {
		f := inflight{own: numbered(0)}
		c := new(core.Consumer)
		var open []uint16
		for range others {
			open = append(open, f.next(flight{consumer: c, counts: true}))
		}
		for seq := range uint64(200_000) {
			x := flight{consumer: c, id: numbered(seq), counts: true}
			if !f.put(x) {
				t.Fatalf("%d others: the identifier of number %d is in use", others, seq)
			}
			f.own = x.id
			for open = append(open, x.id); f.free(40) < others; open = open[1:] {
				f.done(f.get(open[0]))
			}
			for range others {
				open = append(open, f.next(flight{consumer: c, counts: true}))
			}
			if f.free(40) == 0 {
				f.done(f.get(open[0]))
				open = open[1:]
			}
		}
		for _, id := range open {
			f.done(f.get(id))
		}
		if f.open.used != 0 || len(f.open.slots) > 128 {
			t.Errorf("%d in use, %d slots", f.open.used, len(f.open.slots))
		}
	}
}

func TestTheTableOfIdentifiersIsAMap(t *testing.T) {
	t.Parallel()
	rng, c := rand.New(rand.NewPCG(1, 2)), new(core.Consumer)
	for range 200 {
		var f inflight
		want, step := map[uint16]uint64{}, []uint16{1, 2, 16, 64, 256}[rng.IntN(5)] // how many share their low bits
		for seq := range uint64(600) {
			id := 1 + step*uint16(rng.IntN(200))
			_, used := want[id]
			switch {
			case used:
				f.done(f.get(id))
				delete(want, id)
			case len(want) < 60:
				if !f.put(flight{consumer: c, id: id, seq: seq}) {
					t.Fatalf("%d is not taken", id)
				}
				want[id] = seq
			}
			for id, seq := range want {
				if x := f.get(id); x == nil || x.seq != seq {
					t.Fatalf("%d: %+v, want %d", id, x, seq)
				}
			}
			away := 0
			for i := range f.some().slots {
				if s := &f.open.slots[i]; s.consumer != nil && s != f.open.home(s.id) {
					away++
				}
			}
			if f.open.used != len(want) || f.open.away != away {
				t.Fatalf("%d used, %d away, want %d and %d", f.open.used, f.open.away, len(want), away)
			}
		}
	}
}

func BenchmarkInflight(b *testing.B) {
	var f inflight
	c := new(core.Consumer)
	b.ReportAllocs()
	for b.Loop() {
		id := f.next(flight{consumer: c, counts: true})
		f.done(f.get(id))
	}
}

// Repeated PUBREL packets take no quota, but identifiers: a client that never
// completes them gets nothing new before there is no identifier left.
func TestMQTT_MQ2_NoIdentifierIsLeft(t *testing.T) {
	t.Parallel()
	var f inflight
	c := new(core.Consumer)
	for id := 1; id <= identifiers; id++ {
		if !f.restore(flight{consumer: c, id: uint16(id), qos: 2, stage: released}) {
			t.Fatalf("identifier %d is in use", id)
		}
	}
	if got := f.free(256); got != 0 {
		t.Errorf("%d may begin", got)
	}
	f.done(f.get(77))
	if got := f.free(256); got != 1 {
		t.Errorf("%d may begin", got)
	}
	if id := f.next(flight{consumer: c, qos: 1, counts: true}); id != 77 {
		t.Errorf("identifier %d", id)
	}
}

func TestMQTT_MQ15_ReservedIdentifiersAreForRepetitions(t *testing.T) {
	t.Parallel()
	var f inflight
	c := new(core.Consumer)
	f.reserve(1)
	if id := f.next(flight{consumer: c, counts: true}); id != 2 {
		t.Errorf("a new message got %d", id)
	}
	if !f.restore(flight{consumer: c, id: 1, counts: true}) || f.open.reserved != nil {
		t.Error("the repetition did not get its own")
	}
	for id := range identifiers {
		f.reserve(uint16(id + 1))
	}
	if id := f.next(flight{consumer: c, counts: true}); id == 0 {
		t.Error("none although two are in use")
	}
}
