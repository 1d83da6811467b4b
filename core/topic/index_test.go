package topic

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// naive is what an Index must agree with: all pairs in order of insertion.
type naive struct {
	pairs  []pair
	dollar bool
}

type pair struct {
	filter string
	v      int
}

func (m *naive) match(name string) []int {
	var out []int
	for _, p := range m.pairs {
		if m.dollar && matches(p.filter, name) || !m.dollar && Matches(p.filter, name) {
			out = append(out, p.v)
		}
	}
	slices.Sort(out)
	return out
}

func (m *naive) find(p pair) int { return slices.Index(m.pairs, p) }

func genAnyFilter() *rapid.Generator[string] {
	return rapid.OneOf(genName(), genFilter(), rapid.Map(genWide(), Normalize))
}

func TestIndexAgreesWithTheNaiveModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &naive{dollar: rapid.Bool().Draw(t, "dollar")}
		x := NewIndex[int](IndexOptions{Dollar: m.dollar})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				p := pair{genAnyFilter().Draw(t, "filter"), rapid.IntRange(0, 5).Draw(t, "v")}
				x.Add(p.filter, p.v)
				m.pairs = append(m.pairs, p)
			},
			"add all": func(t *rapid.T) {
				pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) pair {
					return pair{genAnyFilter().Draw(t, "filter"), rapid.IntRange(0, 5).Draw(t, "v")}
				}), 0, 60).Draw(t, "pairs")
				x.AddAll(len(pairs), func(i int) (string, int) { return pairs[i].filter, pairs[i].v })
				m.pairs = append(m.pairs, pairs...)
			},
			"remove": func(t *rapid.T) {
				p := m.draw(t)
				i := m.find(p)
				if x.Remove(p.filter, p.v) != (i >= 0) {
					t.Fatalf("Remove(%v)", p)
				}
				if i >= 0 {
					m.pairs = slices.Delete(m.pairs, i, i+1)
				}
			},
			"replace": func(t *rapid.T) {
				p, v := m.draw(t), rapid.IntRange(0, 5).Draw(t, "new")
				i := m.find(p)
				if x.Replace(p.filter, p.v, v) != (i >= 0) {
					t.Fatalf("Replace(%v)", p)
				}
				if i >= 0 {
					m.pairs[i].v = v
				}
			},
			"": func(t *rapid.T) { m.compare(t, x) },
		})
	})
}

// draw draws a pair that is there, or one that need not be.
func (m *naive) draw(t *rapid.T) pair {
	if len(m.pairs) > 0 && rapid.IntRange(0, 4).Draw(t, "known") > 0 {
		return rapid.SampledFrom(m.pairs).Draw(t, "pair")
	}
	return pair{genAnyFilter().Draw(t, "filter"), rapid.IntRange(0, 5).Draw(t, "v")}
}

func (m *naive) compare(t *rapid.T, x *Index[int]) {
	name := genName().Draw(t, "name")
	got, _ := x.Match(nil, name)
	slices.Sort(got)
	if want := m.match(name); !slices.Equal(got, want) {
		t.Fatalf("%q matches %v, want %v; filters %v", name, got, want, m.pairs)
	}
	if x.Len() != len(m.pairs) {
		t.Fatalf("Len %d, want %d", x.Len(), len(m.pairs))
	}
	var all, want []string
	for f, v := range x.Filters() {
		all = append(all, fmt.Sprint(f, v))
	}
	for _, p := range m.pairs {
		want = append(want, fmt.Sprint(p.filter, p.v))
	}
	slices.Sort(all)
	slices.Sort(want)
	if !slices.Equal(all, want) {
		t.Fatalf("Filters %q, want %q", all, want)
	}
}

func TestAMQP_AM12_AHashInTheMiddleDeliversOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ filter, name string }{
		{"#/b/#", "b/b/b/b"}, {"a/#/b/#/b/#", "a/b/b/b/b"}, {"#/+/b/#/c", "x/b/b/c/b/c"}, {"#/a/#/a/#/a/#", strings.Repeat("a/", 40) + "a"},
	} {
		x := NewIndex[int](IndexOptions{})
		x.Add(c.filter, 1)
		if got, _ := x.Match(nil, c.name); len(got) != 1 {
			t.Errorf("%q finds %q %d times", c.filter, c.name, len(got))
		}
	}
}

func TestValuesComeInTheOrderOfInsertion(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{"a/b", "a/+"} {
		x := NewIndex[int](IndexOptions{})
		var want []int
		for i := range 2000 {
			x.Add(filter, i)
			want = append(want, i)
		}
		for i := 0; i < 2000; i += 3 {
			x.Remove(filter, i)
			want = slices.DeleteFunc(want, func(v int) bool { return v == i })
		}
		x.Replace(filter, 1000, -1)
		want[slices.Index(want, 1000)] = -1
		if got, _ := x.Match(nil, "a/b"); !slices.Equal(got, want) {
			t.Errorf("%q: %v", filter, got)
		}
	}
}

// TestAddingAllKeepsTheOrderOfEachFilter adds many at once to what is there.
func TestAddingAllKeepsTheOrderOfEachFilter(t *testing.T) {
	t.Parallel()
	x := NewIndex[int](IndexOptions{})
	filters := []string{"a/b", "a/+", "c"}
	x.Add("a/b", -1)
	_, s := x.Match(nil, "a/b")
	x.AddAll(3000, func(i int) (string, int) { return filters[i%3], i })
	if x.Current(s) {
		t.Error("an old match is taken for current")
	}
	want := []int{-1}
	for i := range 1000 {
		want = append(want, 3*i)
	}
	if got, _ := x.Match(nil, "a/b"); !slices.Equal(got[:1001], want) {
		t.Errorf("the values of a/b: %v", got[:1001])
	}
	if x.Len() != 3001 {
		t.Errorf("Len %d", x.Len())
	}
	for i := range x.exact {
		if tab := x.exact[i].table.Load(); tab != nil && len(tab.slots) > smallTable {
			t.Errorf("%d slots for %d filters", len(tab.slots), tab.live)
		}
	}
}

// TestAFilterWithManyValuesLosesThemInAnyOrder runs a list through its sizes.
func TestAFilterWithManyValuesLosesThemInAnyOrder(t *testing.T) {
	t.Parallel()
	const n = 3001 // a prime
	x := NewIndex[int](IndexOptions{})
	for i := range n {
		x.Add("a", i)
		x.Add("a", 7) // again and again, in many blocks
	}
	for range n {
		if !x.Remove("a", 7) {
			t.Fatal("a 7 was lost")
		}
	}
	for i := range n {
		if v := i * 1009 % n; !x.Remove("a", v) {
			t.Fatalf("%d was lost", v)
		}
		if x.Remove("a", -1) || x.Replace("a", -1, -2) {
			t.Fatal("found what is not there")
		}
	}
	if got, _ := x.Match(nil, "a"); len(got) != 0 || x.Len() != 0 {
		t.Errorf("left: %v, Len %d", got, x.Len())
	}
}

func TestAStampEndsWhenItsMatchMayChange(t *testing.T) {
	t.Parallel()
	x := NewIndex[int](IndexOptions{})
	if x.Current(Stamp{}) {
		t.Error("the zero stamp is current")
	}
	for _, filter := range []string{"a/b", "a/+", "a/#", "+/b", "#", "#/b"} {
		for step, change := range []func(){
			func() { x.Add(filter, 1) }, func() { x.Replace(filter, 1, 2) }, func() { x.Remove(filter, 2) },
		} {
			_, s := x.Match(nil, "a/b")
			if !x.Current(s) {
				t.Errorf("%q: not current at once", filter)
			}
			x.Remove(filter, 99)
			if !x.Current(s) {
				t.Errorf("%q: ended by a removal of nothing", filter)
			}
			if change(); x.Current(s) {
				t.Errorf("%q: still current after change %d", filter, step)
			}
		}
	}
}

func TestAStampOutlivesChangesElsewhere(t *testing.T) {
	t.Parallel()
	x := NewIndex[int](IndexOptions{})
	ended := 0
	for i := range 1000 {
		_, s := x.Match(nil, "a/b")
		x.Add(fmt.Sprintf("dev%d/exact", i), i)
		x.Add(fmt.Sprintf("dev%d/+", i), i)
		if !x.Current(s) {
			ended++
		}
	}
	if ended > 60 { // about 1000 * (1/256 + 1/64) are expected
		t.Errorf("%d of 1000 stamps ended", ended)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	x := NewIndex[int](IndexOptions{})
	for _, f := range []string{"a/b/c", "a/+/c", "a/#", "#/c", "#/b/#", "+/+/+"} {
		x.Add(f, 1)
	}
	dst, name := make([]int, 0, 16), "a/b/c"
	if n := testing.AllocsPerRun(100, func() { dst, _ = x.Match(dst[:0], name) }); n != 0 || len(dst) != 6 {
		t.Errorf("%v allocations, %v", n, dst)
	}
}

// TestReadersBesideWriters checks that a reader always finds what does not
// change, once, and one of the two values of what is replaced, never neither.
func TestReadersBesideWriters(t *testing.T) {
	t.Parallel()
	x := NewIndex[int](IndexOptions{})
	for _, f := range []string{"a/b/c", "a/+/c", "a/#", "#/c"} {
		x.Add(f, 1)
		x.Add(f, 10)
	}
	const rounds = 300
	var writers, readers sync.WaitGroup
	var stop atomic.Bool
	for w := range 2 {
		writers.Go(func() {
			for i := range rounds {
				churn(x, w, i)
			}
		})
	}
	writers.Go(func() {
		for i := range rounds * 10 {
			for _, f := range []string{"a/b/c", "a/+/c", "a/#", "#/c"} {
				x.Replace(f, 10+i%2, 11-i%2)
			}
		}
	})
	for range 2 {
		readers.Go(func() {
			var dst []int
			for !stop.Load() {
				dst, _ = x.Match(dst[:0], "a/b/c")
				ones, tens := 0, 0
				for _, v := range dst {
					switch v {
					case 1:
						ones++
					case 10, 11:
						tens++
					}
				}
				if ones != 4 || tens != 4 {
					t.Errorf("found %v", dst)
					return
				}
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	if x.Len() != 8 {
		t.Errorf("%d pairs are left", x.Len())
	}
}

// TestReadersOfAManyValuedFilterBesideAWriter checks that the values that stay
// are found once and in order while others come and go around the sizes where
// the list changes its form.
func TestReadersOfAManyValuedFilterBesideAWriter(t *testing.T) {
	t.Parallel()
	x := NewIndex[int](IndexOptions{})
	const fixed = 100
	for i := range fixed {
		x.Add("a/#", i)
	}
	var readers sync.WaitGroup
	var stop atomic.Bool
	for range 2 {
		readers.Go(func() {
			var dst []int
			for !stop.Load() {
				dst, _ = x.Match(dst[:0], "a/b")
				next := 0
				for _, v := range dst {
					if v < fixed && v != next {
						t.Errorf("found %d, want %d", v, next)
						return
					}
					if v < fixed {
						next++
					}
				}
				if next != fixed {
					t.Errorf("found %d of the values that stay", next)
					return
				}
			}
		})
	}
	for range 20 {
		for i := range bigMin + 100 {
			x.Add("a/#", fixed+i)
		}
		for i := range bigMin + 100 {
			x.Remove("a/#", fixed+i)
		}
	}
	stop.Store(true)
	readers.Wait()
}

func churn(x *Index[int], w, i int) {
	filters := []string{"a/b/c", "a/b/+", "+/b/c", "#/b/#"}
	for k := range 20 {
		filters = append(filters, fmt.Sprintf("a/%d/%d", i, k), fmt.Sprintf("a/%d/%d/+", w, k))
	}
	for _, f := range filters {
		x.Add(f, 1000+w)
	}
	for _, f := range filters {
		if !x.Remove(f, 1000+w) {
			panic("lost " + f)
		}
	}
}
