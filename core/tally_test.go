package core_test

import (
	"sync/atomic"
	"testing"
)

// More counters than a turn has places for, up and down: nothing is lost.
func TestATurnAddsWhatItCounted(t *testing.T) {
	simulate(t, func(w *world) {
		var counters [200]atomic.Uint64
		for round := range 3 {
			for i := range counters {
				w.turn.Count(&counters[i], uint64(i))
				w.turn.Count(&counters[i], 1)
				w.turn.Count(&counters[i], ^uint64(0))
			}
			if round == 1 {
				w.turn.Counted()
			}
		}
		w.turn.End()
		w.turn.End()
		for i := range counters {
			if n := counters[i].Load(); n != uint64(3*i) {
				t.Errorf("counter %d: %d", i, n)
			}
		}
	})
}

func BenchmarkCount(b *testing.B) {
	var counters [6]atomic.Uint64
	turn := benchRouter(b).NewTurn(nil)
	for b.Loop() {
		for i := range counters {
			turn.Count(&counters[i], 1)
		}
	}
}
