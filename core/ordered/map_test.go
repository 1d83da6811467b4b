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

func keysOf[V any](m *Map[V], from string) (out []string) {
	for c := m.Seek(from); c.Valid(); c.Next() {
		out = append(out, c.Key())
	}
	return out
}

func TestAMapAgreesWithAMapOfTheLanguage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var m Map[int]
		model := map[string]int{}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				for i, k := range rapid.SliceOfN(genKey(), 1, 60).Draw(t, "keys") {
					was, was2 := model[k]
					if old, had := m.Set(k, i); old != was || had != was2 {
						t.Fatalf("Set(%q) = %v, %v", k, old, had)
					}
					model[k] = i
				}
			},
			"delete": func(t *rapid.T) {
				for _, k := range rapid.SliceOfN(genKey(), 1, 20).Draw(t, "keys") {
					was, was2 := model[k]
					if old, had := m.Delete(k); old != was || had != was2 {
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
				if at := m.At(k); (at != nil) != ok || ok && *at != v || m.Len() != len(model) {
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
		var m Map[int]
		for i := range n {
			k := i * stride % n
			m.Set(fmt.Sprintf("dev/%05d/state", k), k)
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
		if gone := m.DeleteRange("", "\xff"); gone != len(got) || m.Len() != 0 || m.Seek("") != (Cursor[int]{m: &m}) {
			t.Fatalf("stride %d: %d gone", stride, gone)
		}
	}
}

func TestForwardFindsWhatSeekFinds(t *testing.T) {
	t.Parallel()
	var m Map[int]
	for i := range 5000 {
		m.Set(fmt.Sprintf("%04d", i*2), i)
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

func TestRunsHoldWhatNextVisits(t *testing.T) {
	t.Parallel()
	var m Map[int]
	for i := range 5000 {
		m.Set(fmt.Sprintf("%04d", i), i)
	}
	for _, most := range []int{1, 3, 64, 100} {
		c, n := m.Seek("0007"), 7
		for c.Valid() {
			names, values := c.Run()
			take := min(most, len(names))
			for i := range take {
				if names[i] != fmt.Sprintf("%04d", n) || values[i] != n {
					t.Fatalf("at most %d: %q, %d at %d", most, names[i], values[i], n)
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
	var m Map[int]
	names := make([]string, 1_000_000)
	for i := range names {
		k := i * 7919 % len(names)
		names[i] = fmt.Sprintf("site/%03d/dev/%02d/sensor/%02d", k/1000, k/50%20, k%50)
		m.Set(names[i], i)
	}
	for i := 0; b.Loop(); i++ {
		m.Set(names[i*104729%len(names)], i)
	}
}

func BenchmarkInsertAndDelete(b *testing.B) {
	var m Map[int]
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("dev/%05d/state", i*7919%len(names))
	}
	for i := 0; b.Loop(); i++ {
		m.Set(names[i%len(names)], i)
		if i >= 50_000 {
			m.Delete(names[(i-50_000)%len(names)])
		}
	}
}
