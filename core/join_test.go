package core_test

import (
	"sync"
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestMemberThatJoinsWhileTheLastOneLeavesIsAMember(t *testing.T) {
	t.Parallel()
	r, err := core.New(core.Options{Store: newMapStore()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all sync.WaitGroup
	for _, id := range []string{"a", "b"} {
		all.Go(func() {
			x := newWorker(t, r, core.Client{ID: id})
			for range 20000 {
				x.turn.Begin()
				g, _, _ := x.s.Subscribe(x.turn, []core.Subscription{{Filter: "$share/g/x", QoS: 1}}, nil)
				if g[0].Reason != core.OK {
					t.Errorf("subscribe: %v", g[0].Reason)
					return
				}
				for c := x.s.NextReady(); c != nil; c = x.s.NextReady() {
					if reason, closed := c.Closed(); closed {
						t.Errorf("joined a queue that ends: %v", reason)
						return
					}
				}
				x.s.Unsubscribe(x.turn, []string{"$share/g/x"}, nil)
				x.turn.End()
			}
		})
	}
	all.Wait()
}
