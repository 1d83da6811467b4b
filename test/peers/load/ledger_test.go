package load

import (
	"math/rand/v2"
	"testing"
)

func TestLossDuplicatesAndDisorderAreToldApart(t *testing.T) {
	t.Parallel()
	var l Ledger
	for _, n := range []uint64{0, 1, 4, 3, 3, 0, 6} {
		l.Add(n)
	}
	// 2 and 5 are missing, 3 came after 4, and 3 and 0 came twice.
	if l.Late != 1 || l.Doubled != 2 || l.Lost(7) != 2 || l.Lost(10) != 5 || l.Seen() != 5 {
		t.Errorf("%+v, lost %d", l, l.Lost(7))
	}
}

func TestAGapIsFilledFromEverySide(t *testing.T) {
	t.Parallel()
	for _, order := range [][]uint64{{1, 2, 3, 4}, {4, 3, 2, 1}, {2, 1, 4, 3}, {3, 1, 4, 2}} {
		var l Ledger
		l.Add(0)
		l.Add(5)
		for _, n := range order {
			l.Add(n)
		}
		if l.Late != 4 || l.Doubled != 0 || l.Lost(6) != 0 || len(l.missing) != 0 {
			t.Errorf("%v: %+v", order, l)
		}
		for n := range uint64(6) {
			l.Add(n)
		}
		if l.Doubled != 6 {
			t.Errorf("%v: %d of 6 doubled", order, l.Doubled)
		}
	}
}

// A simple ledger that remembers everything must agree.
func TestTheLedgerAgreesWithASet(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var l Ledger
		seen := map[uint64]bool{}
		var doubled, late, highest uint64
		for range 300 {
			n := random.Uint64N(200)
			switch {
			case seen[n]:
				doubled++
			case n < highest:
				late++
			}
			seen[n] = true
			highest = max(highest, n)
			l.Add(n)
		}
		if l.Seen() != uint64(len(seen)) || l.Doubled != doubled || l.Late != late || l.Lost(200) != 200-uint64(len(seen)) {
			t.Fatalf("%+v: seen %d of %d, doubled %d, late %d", l, l.Seen(), len(seen), doubled, late)
		}
	}
}
