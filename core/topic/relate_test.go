package topic

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSECURITY_Z2_CoversIsTheSubsetOfNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow, filter string
		want          bool
	}{
		{"#", "#", true}, {"#", "a", true}, {"#", "+/#", true}, {"#", "a/+/b", true}, {"a/#", "a", true}, {"a/#", "a/#", true},
		{"a/#", "a/+/#", true}, {"a/+/#", "a/#", false}, {"a/+", "a/#", false}, {"a/+", "a/+", true}, {"a/+", "a/b", true},
		{"a/b", "a/+", false}, {"a/b", "a/b", true}, {"a/b", "a/c", false}, {"+/b", "a/b", true}, {"a/#", "#", false}, {"+", "#", false},
		{"#", "$SYS/x", false}, {"#", "$SYS/#", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true}, {"$SYS/#", "#", false},
		{"#/b", "a/b", true}, {"#/b", "a/+/b", true}, {"#/b", "#/a/b", true}, {"#/b", "#", false}, {"+/#", "#/a", true},
		{"#/a/#", "b/+/a/c", true}, {"#/a/#", "#/b/#", false}, {"+/+/#", "+/#", false}, {"#/+", "+/#", true},
	} {
		if got := Covers(c.allow, c.filter); got != c.want {
			t.Errorf("Covers(%q, %q) = %v", c.allow, c.filter, got)
		}
	}
}

// names are all names of up to four levels over a few letters, one of which
// appears in no filter.
func names() []string {
	all := []string{}
	var grow func(levels []string)
	grow = func(levels []string) {
		if s := strings.Join(levels, "/"); s != "" {
			all = append(all, s)
		}
		if len(levels) == 4 {
			return
		}
		for _, l := range []string{"a", "b", "$x", "other"} {
			grow(append(levels[:len(levels):len(levels)], l))
		}
	}
	grow(nil)
	return all
}

// genPair draws two wide filters that are short enough for names to tell them
// apart.
func genPair(t *rapid.T) (string, string) {
	g := genOf([]string{"a", "b", "+", "#", "$x"}, 3)
	return g.Draw(t, "a"), g.Draw(t, "b")
}

func TestCoversAndOverlapsAgreeWithMatching(t *testing.T) {
	t.Parallel()
	all := names()
	rapid.Check(t, func(t *rapid.T) {
		a, b := genPair(t)
		covers, overlaps := true, false
		for _, n := range all {
			inA, inB := Matches(a, n), Matches(b, n)
			covers = covers && (inA || !inB)
			overlaps = overlaps || inA && inB
		}
		if got := Covers(a, b); got != covers && !onlyEmpty(a, b) {
			t.Fatalf("Covers(%q, %q) = %v", a, b, got)
		}
		if got := Overlaps(a, b); got != overlaps && !onlyEmpty(a, b) {
			t.Fatalf("Overlaps(%q, %q) = %v", a, b, got)
		}
	})
}

// onlyEmpty says whether the empty name, which is no topic, may decide.
func onlyEmpty(a, b string) bool { return Normalize(a) == "#" || Normalize(b) == "#" }

func TestOverlapsIsSymmetric(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := genWide().Draw(t, "a"), genWide().Draw(t, "b")
		if Overlaps(a, b) != Overlaps(b, a) {
			t.Fatalf("%q and %q", a, b)
		}
	})
}

func TestOverlapsFindsRulesThatMeet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a/#", "+/b", true}, {"a/#", "b/#", false}, {"a/+", "+/b", true}, {"a/+", "a", false}, {"a/#", "a", true},
		{"#", "$SYS/x", false}, {"#", "#", true}, {"#/a", "b/#", true}, {"#/a", "+/b", false}, {"a/#/c", "a/b", false},
	} {
		if got := Overlaps(c.a, c.b); got != c.want {
			t.Errorf("Overlaps(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
