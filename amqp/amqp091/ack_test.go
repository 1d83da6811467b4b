package amqp091

import (
	"math/rand/v2"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// settled is a consumer of nothing: Settle on its sequence numbers does
// nothing, which is all that the bookkeeping needs.
func settled(t *testing.T) (*core.Turn, *core.Consumer) {
	t.Helper()
	r, err := core.New(core.Options{Store: nothing{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	turn := r.NewTurn(nil)
	s, _ := r.Attach(turn, core.Client{}, deaf{})
	s.Subscribe(turn, []core.Subscription{{Filter: "nothing"}}, nil)
	return turn, s.Inbox()
}

func TestUnackedFindsWhatIsOutstandingInAnyOrder(t *testing.T) {
	t.Parallel()
	turn, from := settled(t)
	var u unacked
	open := map[uint64]bool{}
	next := uint64(1)
	for r := rand.New(rand.NewPCG(1, 2)); next < 5000; {
		if r.IntN(2) == 0 || len(open) == 0 {
			u.add(unackedItem{tag: next, from: from, at: core.Time(next)})
			open[next] = true
			next++
			continue
		}
		tag := 1 + r.Uint64N(next)
		i, ok := u.find(tag)
		if ok != open[tag] {
			t.Fatalf("tag %d: found %t", tag, ok)
		}
		if ok {
			u.settle(turn, &u.items[i], core.Accepted)
			delete(open, tag)
			u.trim()
		}
		if u.len() != len(open) {
			t.Fatalf("%d outstanding, want %d", u.len(), len(open))
		}
		if at, ok := u.oldest(); ok != (len(open) > 0) || ok && !open[uint64(at)] {
			t.Fatalf("oldest %d, %t", at, ok)
		}
	}
}

func BenchmarkAckInOrder(b *testing.B) {
	r, err := core.New(core.Options{Store: nothing{}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	turn := r.NewTurn(nil)
	s, _ := r.Attach(turn, core.Client{}, deaf{})
	s.Subscribe(turn, []core.Subscription{{Filter: "nothing"}}, nil)
	var u unacked
	tag := uint64(0)
	add := func() { tag++; u.add(unackedItem{tag: tag, from: s.Inbox()}) }
	for range 1000 {
		add()
	}
	b.ReportAllocs()
	for b.Loop() {
		add()
		i, ok := u.find(tag - 1000)
		if !ok {
			b.Fatal(tag)
		}
		u.settle(turn, &u.items[i], core.Accepted)
		u.trim()
	}
}
