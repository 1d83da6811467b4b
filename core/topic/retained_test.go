package topic

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// noted is a value with its name.
type noted struct {
	name  string
	value int
}

func (x noted) Key() string { return x.name }

func scanAll(r *Retained[noted], filter string, budget int) (names []string) {
	after, done := "", false
	var items []noted
	for !done {
		items, after, done = r.Scan(items[:0], filter, after, budget)
		if len(items) > max(budget, 1) {
			panic("more items than the budget")
		}
		for _, it := range items {
			names = append(names, it.name)
		}
	}
	return names
}

func TestRetainedAgreesWithTheNaiveModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r Retained[noted]
		m := map[string]int{}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				for _, name := range rapid.SliceOfN(genName(), 1, 30).Draw(t, "names") {
					v := rapid.Int().Draw(t, "v")
					was, was2 := m[name]
					if old, had := r.Set(noted{name, v}); old.value != was || had != was2 {
						t.Fatalf("Set(%q) = %v, %v", name, old, had)
					}
					m[name] = v
				}
			},
			"delete": func(t *rapid.T) {
				name := genName().Draw(t, "name")
				was, was2 := m[name]
				if old, had := r.Delete(name); old.value != was || had != was2 {
					t.Fatalf("Delete(%q) = %v, %v", name, old, had)
				}
				delete(m, name)
			},
			"update": func(t *rapid.T) {
				name, v, keep := genName().Draw(t, "name"), rapid.Int().Draw(t, "v"), rapid.Bool().Draw(t, "keep")
				was, was2 := m[name]
				r.Update(name, func(old noted, had bool) (noted, bool) {
					if old.value != was || had != was2 {
						t.Fatalf("Update(%q) sees %v, %v", name, old, had)
					}
					return noted{name, v}, keep
				})
				if keep {
					m[name] = v
				} else {
					delete(m, name)
				}
			},
			"": func(t *rapid.T) {
				name := genName().Draw(t, "name")
				was, was2 := m[name]
				if v, ok := r.Get(name); v.value != was || ok != was2 || r.Len() != len(m) {
					t.Fatalf("Get(%q) = %v, %v; %d names", name, v, ok, r.Len())
				}
				filter := genAnyFilter().Draw(t, "filter")
				var want []string
				for n := range m {
					if Matches(filter, n) {
						want = append(want, n)
					}
				}
				slices.Sort(want)
				if got := scanAll(&r, filter, rapid.IntRange(0, 10).Draw(t, "budget")); !slices.Equal(got, want) {
					t.Fatalf("Scan(%q) = %q, want %q of %q", filter, got, want, slices.Sorted(maps.Keys(m)))
				}
				switch nothing := r.Nothing(filter); {
				case nothing && len(want) > 0:
					t.Fatalf("Nothing(%q), although it matches %q", filter, want)
				case !nothing && len(want) == 0 && (len(m) == 0 || !IsFilter(filter)):
					t.Fatalf("there may be something for %q", filter)
				}
			},
		})
	})
}

func TestNothingIsSeenAtAGlance(t *testing.T) {
	t.Parallel()
	var r Retained[noted]
	for d := range 1000 {
		r.Set(noted{fmt.Sprintf("$SYS/broker/%03d", d), d})
		r.Set(noted{fmt.Sprintf("a/%03d/b", d), d})
	}
	for filter, want := range map[string]bool{
		"b/#": true, "a/500x/+": true, "a": true, "a/#": false, "+/500/b": false, "a/500/b": false, "#": false,
		"x/+/y": true, "A/1/+": true, "$SYS/other/#": true, "a/+/c": false, // the last would take a look at all
	} {
		if got := r.Nothing(filter); got != want {
			t.Errorf("%s: %v", filter, got)
		}
	}
}

func TestAScanVisitsNoMoreThanItsBudget(t *testing.T) {
	t.Parallel()
	var r Retained[noted]
	for d := range 1000 {
		for s := range 20 {
			r.Set(noted{fmt.Sprintf("d/%04d/s/%02d", d, s), s})
		}
	}
	for filter, most := range map[string]int{ // names to visit
		"d/+/s/07":     3*1000 + 2, // the found one, the next, the first of the next device
		"d/0500/s/+":   20 + 2,
		"d/0500/#":     20 + 2,
		"d/0500/s/07":  1 + 2,
		"none/#":       1,
		"d/+/none/+":   1000 + 2,
		"d/+/s/07/+":   3*1000 + 2,
		"+/0500/s/07":  1 + 3,
		"d/0500/#/07":  20 + 2,
		"d/+":          1000 + 2,
		"+":            2,
		"+/+/+/+/deep": 20000,
	} {
		calls, after, done := 0, "", false
		for !done {
			_, after, done = r.Scan(nil, filter, after, 1)
			calls++
		}
		if calls > most+1 {
			t.Errorf("%q: %d visits, want about %d", filter, calls, most)
		}
	}
}

func TestASubtreeComesInSlicesOfTheBudget(t *testing.T) {
	t.Parallel()
	const n = 1000
	var r Retained[noted]
	for i := range n {
		r.Set(noted{fmt.Sprintf("a/%04d", i), -1})
		r.Set(noted{fmt.Sprintf("b/%04d", i), i})
		r.Set(noted{fmt.Sprintf("c/%04d", i), -1})
	}
	for _, budget := range []int{1, 2, 63, 64, 65, 256, n, 5 * n} {
		items, after, done := []noted(nil), "", false
		for calls := 0; !done; calls++ {
			had := len(items)
			items, after, done = r.Scan(items, "b/#", after, budget)
			if got := len(items) - had; got > budget || !done && got != budget {
				t.Fatalf("budget %d: %d in call %d, which is the last: %v", budget, got, calls, done)
			}
		}
		if len(items) != n {
			t.Fatalf("budget %d: %d of %d", budget, len(items), n)
		}
		for i, x := range items {
			if x.value != i || x.name != fmt.Sprintf("b/%04d", i) {
				t.Fatalf("budget %d: %v at %d", budget, x, i)
			}
		}
	}
}

func TestRetainedIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var r Retained[noted]
	for i := range 500 {
		r.Set(noted{fmt.Sprintf("fixed/%03d", i), i})
	}
	var writers, readers sync.WaitGroup
	var stop atomic.Bool
	for w := range 2 {
		writers.Go(func() {
			for i := range 5000 {
				name := fmt.Sprintf("fixed/%03d/%d/%d", i%500, w, i%50)
				r.Set(noted{name, i})
				if i%3 == 0 {
					r.Delete(name)
				}
				r.Update("counter", func(old noted, _ bool) (noted, bool) { return noted{"counter", old.value + 1}, true })
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for !stop.Load() {
				if got := scanAll(&r, "fixed/+", 37); len(got) != 500 {
					t.Errorf("%d of the fixed names", len(got))
					return
				}
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	if v, _ := r.Get("counter"); v.value != 10000 {
		t.Errorf("the counter is %d", v.value)
	}
}
