package mqttsn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The registry is what a list of topics is, whatever is added, dropped and
// told.
func TestTopicsAreAsAListOfThem(t *testing.T) {
	t.Parallel()
	type entry struct {
		name      string
		id        uint16
		own, told bool
	}
	var r topics
	var list []entry
	r.rest()
	dice := rand.New(rand.NewPCG(1, 2))
	for step := range 20_000 {
		name, own := fmt.Sprintf("%0*d", 1+dice.IntN(30), dice.IntN(12)), dice.IntN(4) == 0
		switch i := slices.IndexFunc(list, func(e entry) bool { return e.name == name }); {
		case step%1000 == 999:
			r.reconnect()
			for k := range list {
				list[k].told = false
			}
		case i >= 0 && dice.IntN(2) == 0:
			x, _ := r.byID(list[i].id)
			list[i].told = !list[i].told
			r.tell(x, list[i].told)
		default:
			x, ok := r.add(name, own, 9)
			switch {
			case i >= 0:
				list[i].own = list[i].own || own
			case !ok:
				if x = r.recycle(name); len(list) > 0 {
					list = list[1:]
				}
				list = append(list, entry{name: name, id: x.id})
			default:
				if len(list) == 9 {
					k := slices.IndexFunc(list, func(e entry) bool { return !e.own })
					list = slices.Delete(list, k, k+1)
				}
				list = append(list, entry{name: name, id: x.id, own: own})
			}
			r.rest()
		}
		if r.count() != len(list) {
			t.Fatalf("step %d: %d topics, want %d", step, r.count(), len(list))
		}
		for _, e := range list {
			a, known := r.byID(e.id)
			b, named := r.find(e.name)
			if got := (entry{string(a.name), a.id, a.own, a.told}); !known || !named || got != e || b.at != a.at {
				t.Fatalf("step %d: %v, want %v", step, got, e)
			}
		}
	}
}
