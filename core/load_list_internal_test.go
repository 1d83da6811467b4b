package core

import (
	"math/rand/v2"
	"testing"
)

// TestAListByIdentityIsLikeAMap puts, in order and not, removes and looks up.
func TestAListByIdentityIsLikeAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 100 {
		var x byID[int]
		want, next := map[uint64]int{}, uint64(1)
		for n := range 300 {
			id := 1 + random.Uint64N(600)
			switch random.IntN(3) {
			case 0:
				if round%2 == 0 { // as records come
					id, next = next, next+1+random.Uint64N(3)
				}
				if _, had := want[id]; !had && x.get(id) == 0 {
					x.remove(id)
					x.put(id, n+1)
					want[id] = n + 1
				}
			case 1:
				x.remove(id)
				if want[id] != 0 {
					want[id] = 0
				}
			}
			if got := x.get(id); got != want[id] {
				t.Fatalf("%d: got %d, want %d", id, got, want[id])
			}
		}
		sum, count := 0, 0
		for v := range x.all() {
			sum += v
			count++
		}
		for _, v := range want {
			if sum -= v; v != 0 {
				count--
			}
		}
		if sum != 0 || count != 0 {
			t.Fatal("the walk differs")
		}
	}
}
