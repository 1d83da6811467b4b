package ordered

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// genKey draws keys with common beginnings, NUL bytes and different lengths.
func genKey() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "\x00", "\xff", "sensor/12345678", "/"}), 0, 6)
		return strings.Join(parts.Draw(t, "parts"), "")
	})
}

// pair is a value with its key.
type pair struct {
	key   string
	value int
}

func (p pair) Key() string { return p.key }

func keysOf[V Keyed](m *Map[V], from string) (out []string) {
	for c := m.Seek(from); c.Valid(); c.Next() {
		out = append(out, c.Key())
	}
	return out
}

func TestAMapAgreesWithAMapOfTheLanguage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var m Map[pair]
		model := map[string]int{}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				for i, k := range rapid.SliceOfN(genKey(), 1, 60).Draw(t, "keys") {
					was, was2 := model[k]
					if old, had := m.Set(pair{k, i}); old.value != was || had != was2 {
						t.Fatalf("Set(%q) = %v, %v", k, old, had)
					}
					model[k] = i
				}
			},
			"delete": func(t *rapid.T) {
				for _, k := range rapid.SliceOfN(genKey(), 1, 20).Draw(t, "keys") {
					was, was2 := model[k]
					if old, had := m.Delete(k); old.value != was || had != was2 {
						t.Fatalf("Delete(%q) = %v, %v", k, old, had)
					}
					delete(model, k)
				}
			},
			"deleteRange": func(t *rapid.T) {
				from, to := genKey().Draw(t, "from"), genKey().Draw(t, "to")
				n := len(model)
				maps.DeleteFunc(model, func(k string, _ int) bool { return from <= k && k < to })
				if got := m.DeleteRange(from, to); got != n-len(model) {
					t.Fatalf("DeleteRange(%q, %q) = %d, want %d", from, to, got, n-len(model))
				}
			},
			"": func(t *rapid.T) {
				k := genKey().Draw(t, "key")
				v, ok := model[k]
				if at := m.At(k); (at != nil) != ok || ok && *at != (pair{k, v}) || m.Len() != len(model) {
					t.Fatalf("At(%q) = %v, %d keys", k, at, m.Len())
				}
				want := slices.DeleteFunc(slices.Sorted(maps.Keys(model)), func(s string) bool { return s < k })
				if got := keysOf(&m, k); !slices.Equal(got, want) {
					t.Fatalf("from %q: %q, want %q", k, got, want)
				}
			},
		})
	})
}

func TestOrderHoldsThroughGrowthAndDecay(t *testing.T) {
	t.Parallel()
	const n = 30011                                // a prime, so that every stride visits all
	for _, stride := range []int{1, 7919, n - 1} { // ascending, scattered, descending
		var m Map[pair]
		for i := range n {
			k := i * stride % n
			m.Set(pair{fmt.Sprintf("dev/%05d/state", k), k})
		}
		if got := keysOf(&m, ""); len(got) != n || !slices.IsSorted(got) {
			t.Fatalf("stride %d: %d keys", stride, len(got))
		}
		for i := range n {
			if k := i * 104729 % n; k%100 != 0 {
				if _, had := m.Delete(fmt.Sprintf("dev/%05d/state", k)); !had {
					t.Fatalf("stride %d: %d was lost", stride, k)
				}
			}
		}
		got := keysOf(&m, "")
		if len(got) != m.Len() || len(got) != n/100+1 || !slices.IsSorted(got) {
			t.Fatalf("stride %d: %d keys are left of %d", stride, len(got), m.Len())
		}
		if gone := m.DeleteRange("", "\xff"); gone != len(got) || m.Len() != 0 || m.Seek("") != (Cursor[pair]{m: &m}) {
			t.Fatalf("stride %d: %d gone", stride, gone)
		}
	}
}

// leaves are the pages of values.
func leaves[V Keyed](m *Map[V]) (n int) {
	for p := m.Seek("").leaf; p != nil; p = p.next {
		n++
	}
	return n
}

// Ascending keys fill their pages wherever they come, and what comes the other
// way into the gap above a full page does not take a page each.
func TestPagesAreFilled(t *testing.T) {
	t.Parallel()
	const n, runs = 1280, 10
	var m Map[pair]
	for i := range n {
		for r := range runs {
			m.Set(pair{fmt.Sprintf("%d/%05d", r, i), i})
		}
	}
	if got, most := leaves(&m), runs*(n/pageMax+2); got > most {
		t.Errorf("%d pages for what rises in %d places, more than %d", got, runs, most)
	}
	before := leaves(&m)
	for i := range n {
		m.Set(pair{fmt.Sprintf("4/x%05d", n-i), i})
	}
	if got, most := leaves(&m)-before, n/(pageMax/2)+2; got > most {
		t.Errorf("%d pages for what falls, more than %d", got, most)
	}
}

// Keys that are alike for longer than heads tell are in order.
func TestKeysThatBeginAlikeAreInOrder(t *testing.T) {
	t.Parallel()
	for _, alike := range []int{0, 1, 6, 7, 8, 9, 15, 16, 23, 24, 31, 32, 33, 100} {
		var m Map[pair]
		var want []string
		for i := range 2000 {
			k := fmt.Sprintf("%03d%s%02d", i*7%2000/20, strings.Repeat("\xff", alike), i*7%20)
			if _, had := m.Set(pair{k, i}); had {
				t.Fatalf("%d alike: %q was there", alike, k)
			}
			want = append(want, k)
		}
		slices.Sort(want)
		if got := keysOf(&m, ""); !slices.Equal(got, want) {
			t.Fatalf("%d alike: %d keys of %d, in order: %v", alike, len(got), len(want), slices.IsSorted(got))
		}
		for i, k := range want {
			if c := m.Seek(k); !c.Valid() || c.Key() != k {
				t.Fatalf("%d alike: not at %q", alike, k)
			}
			if _, had := m.Delete(k); !had || m.Len() != len(want)-i-1 {
				t.Fatalf("%d alike: %q is not there", alike, k)
			}
		}
	}
}

func TestForwardFindsWhatSeekFinds(t *testing.T) {
	t.Parallel()
	var m Map[pair]
	for i := range 5000 {
		m.Set(pair{fmt.Sprintf("%04d", i*2), i})
	}
	for _, step := range []int{1, 3, 64, 100, 150, 1000} {
		for at := 0; at+step < 10000; at += step {
			c := m.Seek(fmt.Sprintf("%04d", at))
			want := m.Seek(fmt.Sprintf("%04d", at+step))
			if !c.Valid() {
				break
			}
			if c.Forward(fmt.Sprintf("%04d", at+step)); c != want {
				t.Fatalf("from %d by %d", at, step)
			}
		}
	}
}

func TestBelowHoldsWhatNextVisits(t *testing.T) {
	t.Parallel()
	var m Map[pair]
	for i := range 5000 {
		m.Set(pair{fmt.Sprintf("%04d", i), i})
	}
	for _, most := range []int{1, 3, 64, 100} {
		c, n := m.Seek("0007"), 7
		for c.Valid() {
			run := c.Below(fmt.Sprintf("%04d", n+most))
			take := len(run)
			if take == 0 || take > most {
				t.Fatalf("at most %d: %d from %d", most, take, n)
			}
			for _, got := range run {
				if got != (pair{fmt.Sprintf("%04d", n), n}) {
					t.Fatalf("at most %d: %v at %d", most, got, n)
				}
				n++
			}
			c.Skip(take)
		}
		if n != 5000 {
			t.Fatalf("at most %d: ended at %d", most, n)
		}
	}
}

func BenchmarkSetOver1M(b *testing.B) {
	var m Map[pair]
	names := make([]string, 1_000_000)
	for i := range names {
		k := i * 7919 % len(names)
		names[i] = fmt.Sprintf("site/%03d/dev/%02d/sensor/%02d", k/1000, k/50%20, k%50)
		m.Set(pair{names[i], i})
	}
	for i := 0; b.Loop(); i++ {
		m.Set(pair{names[i*104729%len(names)], i})
	}
}

func BenchmarkInsertAndDelete(b *testing.B) {
	var m Map[pair]
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("dev/%05d/state", i*7919%len(names))
	}
	for i := 0; b.Loop(); i++ {
		m.Set(pair{names[i%len(names)], i})
		if i >= 50_000 {
			m.Delete(names[(i-50_000)%len(names)])
		}
	}
}
