package limit_test

import (
	"slices"
	"testing"

	"github.com/entrepot/entrepot/adapters/limit"
)

type guest struct {
	name  string
	links limit.Links[guest]
}

func (g *guest) Links() *limit.Links[guest] { return &g.links }

func TestRecentIsInTheOrderOfSilence(t *testing.T) {
	t.Parallel()
	var r limit.Recent[guest, *guest]
	order := func(most int) (names []string) {
		for g := range r.Oldest(most) {
			names = append(names, g.name)
		}
		return names
	}
	expect := func(most int, want ...string) {
		t.Helper()
		if got := order(most); !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	expect(10)
	a, b, c := &guest{name: "a"}, &guest{name: "b"}, &guest{name: "c"}
	for _, g := range []*guest{a, b, c} {
		r.Add(g)
	}
	expect(10, "a", "b", "c")
	expect(2, "a", "b")
	r.Heard(a)
	r.Heard(a)
	expect(10, "b", "c", "a")
	for g := range r.Oldest(10) { // each may go when its turn comes
		if g != a {
			r.Remove(g)
		}
	}
	expect(10, "a")
	r.Remove(a)
	expect(10)
	r.Add(b)
	r.Heard(b)
	expect(10, "b")
}
