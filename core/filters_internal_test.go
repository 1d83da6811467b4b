package core

import (
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestFiltersAreLikeAMap changes both in the same way, with few and with many.
func TestFiltersAreLikeAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var f filters
		want, texts := map[string]*binding{}, 1+random.IntN(20*fewFilters)
		for range 600 {
			text := strconv.Itoa(random.IntN(texts))
			if random.IntN(2) == 0 {
				b := &binding{sub: Subscription{Filter: text}}
				f.put(b)
				want[text] = b
			} else {
				f.remove(text)
				delete(want, text)
			}
			got := map[string]*binding{}
			for b := range f.all() {
				got[b.sub.Filter] = b
			}
			if !maps.Equal(got, want) || f.len() != len(want) {
				t.Fatalf("%d filters, %d counted, want %d", len(got), f.len(), len(want))
			}
			if f.get(text) != want[text] {
				t.Fatalf("%q: another one", text)
			}
		}
		for b := range f.all() {
			f.remove(b.sub.Filter)
		}
		if f.len() != 0 || f.first != nil || f.many != nil {
			t.Fatal("something is left")
		}
	}
}
