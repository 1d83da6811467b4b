package topic

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMQTT_MB3_MD1_MatchesByTheRulesOfSection4_7(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter, name string
		want         bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a", "a/", false}, {"a", "A", false}, {"a/b", "a/b", true},
		{"sport/tennis/player1/#", "sport/tennis/player1", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
		{"sport/tennis/player1/#", "sport/tennis/player12", false},
		{"sport/#", "sport", true}, {"#", "a", true}, {"#", "/", true}, {"#", "a/b/c", true},
		{"sport/tennis/+", "sport/tennis/player1", true}, {"sport/tennis/+", "sport/tennis/player1/ranking", false},
		{"sport/+", "sport", false}, {"sport/+", "sport/", true},
		{"+/+", "/finance", true}, {"/+", "/finance", true}, {"+", "/finance", false}, {"+", "a", true},
		{"+/#", "a", true}, {"+/#", "a/b", true}, {"/#", "/a", true}, {"/#", "a", false}, {"+/", "a/", true}, {"+/", "a", false},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"+", "$SYS", false}, {"+/#", "$SYS", false},
		{"$SYS/#", "$SYS/x", true}, {"$SYS/+", "$SYS/x", true}, {"$SYS/x", "$SYS/x", true}, {"a/+", "a/$x", true},
	} {
		if got := Matches(c.filter, c.name); got != c.want {
			t.Errorf("Matches(%q, %q) = %v", c.filter, c.name, got)
		}
	}
}

// bindings are the rows of amqp.md 7.2, with names instead of keys.
var bindings = []struct {
	binding string
	matches []string
	misses  []string
}{
	{"a.*.c", []string{"a.b.c", "a..c"}, []string{"a.c", "a.b.b.c", "a.b.c.", ""}},
	{"*", []string{"a", "b"}, []string{"a.b", ""}},
	{"*.*", []string{"a.b", ".", ".a", "a."}, []string{"a", "a.b.c", ""}},
	{"a.#", []string{"a", "a.b", "a.."}, []string{"b", "ab", "", ".a"}},
	{"#", []string{"a", "a.b", "...", ""}, nil},
	{"#.b", []string{"b", "a.b", "a.c.b", ".b"}, []string{"", "a", "b.a", "b."}},
	{"a.#.c", []string{"a.c", "a..c", "a.b.c", "a.b.d.c", "a.c.c"}, []string{"a", "c", "a.c.b", "ac", ""}},
	{"*.#", []string{"a", "a.b", ".", "a.b.c"}, []string{""}},
	{"#.#", []string{"", "a", "a.b"}, nil},
	{"a.#.#", []string{"a", "a.b", "a.b.c"}, []string{"", "b.a"}},
}

func TestAMQP_AM12_BindingsMatchAsTheTableSays(t *testing.T) {
	t.Parallel()
	for _, dollar := range []bool{false, true} {
		for _, b := range bindings {
			filter, err := Dotted.DecodeFilter(b.binding)
			if err != nil {
				t.Fatalf("DecodeFilter(%q): %v", b.binding, err)
			}
			x := NewIndex[string](IndexOptions{Dollar: dollar})
			x.Add(filter, b.binding)
			for want, keys := range map[bool][]string{true: b.matches, false: b.misses} {
				for _, key := range keys {
					name := strings.ReplaceAll(key, ".", "/")
					got, _ := x.Match(nil, name)
					if (len(got) == 1) != want || len(got) > 1 {
						t.Errorf("dollar %v: binding %q, key %q: %d matches", dollar, b.binding, key, len(got))
					}
					if Matches(filter, name) != want {
						t.Errorf("Matches(%q, %q) = %v", filter, name, !want)
					}
				}
			}
		}
	}
}

func TestAMQP_AM10_AM12_DollarHasAMeaningOnAMQTopicOnly(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{"#", "+/+", "+/x", "+/#", "#/x"} {
		for _, dollar := range []bool{false, true} {
			x := NewIndex[int](IndexOptions{Dollar: dollar})
			x.Add(filter, 1)
			x.Add("$SYS/x", 2)
			got, _ := x.Match(nil, "$SYS/x")
			if want := 1; !dollar && len(got) != want {
				t.Errorf("%q: %v", filter, got)
			}
			if want := 2; dollar && len(got) != want {
				t.Errorf("%q on a declared exchange: %v", filter, got)
			}
		}
	}
}

func TestAMQP_7_2_TheEmptyBindingMatchesTheEmptyKeyAlone(t *testing.T) {
	t.Parallel()
	x := NewIndex[string](IndexOptions{Dollar: true})
	for _, f := range []string{"", "#", "+", "+/#", "#/a"} {
		x.Add(f, f)
	}
	got, _ := x.Match(nil, "")
	if strings.Join(got, "|") != "|#" {
		t.Errorf("the empty key matches %q", got)
	}
	got, _ = x.Match(nil, "b")
	if len(got) != 3 {
		t.Errorf("b matches %q", got)
	}
}

// byRegexp is the definition of matching once more, by other means.
func byRegexp(filter, name string) bool {
	if leadingWildcard(filter) && hidden(name) {
		return false
	}
	text := ""
	for _, level := range split(filter) {
		switch level {
		case "#":
			text += "(/[^/]*)*"
		case "+":
			text += "/[^/]*"
		default:
			text += "/" + regexp.QuoteMeta(level)
		}
	}
	return regexp.MustCompile("^" + text + "$").MatchString("/" + name)
}

func TestMatchesAgreesWithRegularExpressions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		filter, name := genWide().Draw(t, "filter"), genName().Draw(t, "name")
		if got := Matches(filter, name); got != byRegexp(filter, name) {
			t.Fatalf("Matches(%q, %q) = %v", filter, name, got)
		}
	})
}

func FuzzMatchesAgainstIndex(f *testing.F) {
	for _, s := range [][2]string{{"a/#", "a"}, {"#/b/#", "b/b/b"}, {"+/#/a", "$x/a"}, {"a/#/b/#/c", "a/b/b/c/c"}, {"#", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, filter, name string) {
		if CheckWideFilter(filter, Limits{}) != nil || CheckName(name, Limits{}) != nil {
			return
		}
		x := NewIndex[int](IndexOptions{})
		x.Add(Normalize(filter), 1)
		got, _ := x.Match(nil, name)
		want := 0
		if Matches(filter, name) {
			want = 1
		}
		if len(got) != want {
			t.Errorf("%q finds %q %d times, want %d", filter, name, len(got), want)
		}
		if !x.Remove(Normalize(filter), 1) || x.Len() != 0 {
			t.Error("not removed")
		}
	})
}

func BenchmarkMatches(b *testing.B) {
	for b.Loop() {
		if !Matches("site/+/line/#", "site/7/line/3/sensor/temperature") {
			b.Fatal("no match")
		}
	}
}
