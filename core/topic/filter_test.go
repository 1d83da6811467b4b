package topic

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMQTT_MB3_MM26_FiltersAreCheckedByTheRulesOfSection4_7(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter     string
		want, wide error
	}{
		{"a", nil, nil}, {"#", nil, nil}, {"+", nil, nil}, {"a/#", nil, nil}, {"+/+/#", nil, nil}, {"/+", nil, nil}, {"+/a/+", nil, nil},
		{"//#", nil, nil}, {"$SYS/#", nil, nil}, {"$share/g/a", nil, nil},
		{"", ErrEmpty, ErrEmpty},
		{"a#", ErrWildcard, ErrWildcard}, {"a/b#", ErrWildcard, ErrWildcard}, {"a+/b", ErrWildcard, ErrWildcard},
		{"+a", ErrWildcard, ErrWildcard}, {"##", ErrWildcard, ErrWildcard}, {"++", ErrWildcard, ErrWildcard}, {"+#", ErrWildcard, ErrWildcard},
		{"#/a", ErrWildcard, nil}, {"a/#/b", ErrWildcard, nil}, {"#/#", ErrWildcard, nil}, {"#/", ErrWildcard, nil},
		{"a\x00", ErrNUL, ErrNUL}, {"a/\x05/#", ErrControl, ErrControl}, {"a/\xff", ErrUTF8, ErrUTF8},
		{"#/a/#/b/#/c/#", ErrWildcard, nil}, {"#/a/#/b/#/c/#/d/#", ErrWildcard, ErrManyHashes},
		{"#/#/#/#/#/#", ErrWildcard, nil}, {"#/+/#/+/#/+/#/a/#", ErrWildcard, nil},
		{strings.Repeat("+/", 128) + "#", ErrTooManyLevels, ErrTooManyLevels},
		{strings.Repeat("x", 65536), ErrTooLong, ErrTooLong},
	} {
		if err := CheckFilter(c.filter, Limits{}); !errors.Is(err, c.want) {
			t.Errorf("CheckFilter(%.40q) = %v, want %v", c.filter, err, c.want)
		}
		if err := CheckWideFilter(c.filter, Limits{}); !errors.Is(err, c.wide) {
			t.Errorf("CheckWideFilter(%.40q) = %v, want %v", c.filter, err, c.wide)
		}
	}
}

func TestAMQP_AM12_NormalizeCollapsesRunsOfWildcards(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"": "", "a": "a", "#": "#", "a/#": "a/#", "#/#": "#", "a/#/#": "a/#", "#/#/#/b": "#/b", "a/#/b": "a/#/b",
		"#/+": "+/#", "#/+/#/+/b": "+/+/#/b", "+/#": "+/#", "a#/#": "a#/#", "#/a/#/#": "#/a/#",
	} {
		if got := Normalize(filter); got != want {
			t.Errorf("Normalize(%q) = %q, want %q", filter, got, want)
		}
	}
}

func TestNormalizeKeepsTheMeaning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		filter, name := genWide().Draw(t, "filter"), genName().Draw(t, "name")
		n := Normalize(filter)
		if Matches(filter, name) != Matches(n, name) {
			t.Fatalf("%q and %q differ on %q", filter, n, name)
		}
		if Normalize(n) != n {
			t.Fatalf("%q becomes %q", n, Normalize(n))
		}
	})
}

func TestIsFilterSeesWholeLevelsOnly(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"": false, "a": false, "a/b": false, "a+": false, "#a": false, "a/b+/c": false,
		"+": true, "#": true, "a/+": true, "+/a": true, "a/#/b": true, "/+": true, "+/": true,
	} {
		if IsFilter(s) != want {
			t.Errorf("IsFilter(%q) = %v", s, !want)
		}
	}
}

func FuzzCheckFilter(f *testing.F) {
	for _, s := range []string{"a", "a/#", "#/a", "+/+", "a#", "##", "$share/g/a", "a\x00", "\xff", "#/#/+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, narrow, wide := CheckName(s, Limits{}), CheckFilter(s, Limits{}), CheckWideFilter(s, Limits{})
		if name == nil && (narrow != nil || IsFilter(s)) {
			t.Errorf("%q is a name but no filter: %v", s, narrow)
		}
		if narrow == nil && (wide != nil || Normalize(s) != s) {
			t.Errorf("%q is a filter but no wide one: %v", s, wide)
		}
		if wide == nil && CheckWideFilter(Normalize(s), Limits{}) != nil {
			t.Errorf("%q is legal, normalised it is not", s)
		}
	})
}
