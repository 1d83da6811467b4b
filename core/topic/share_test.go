package topic

import (
	"strings"
	"testing"
)

func TestMQTT_MG1_MM27_SharedSubscriptionsAreTakenApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s, group, filter string
		ok, bad          bool
	}{
		{s: "a/b"}, {s: "$share"}, {s: "$shared/g/f"}, {s: "x/$share/g/f"}, {s: ""},
		{s: "$share/g/f", group: "g", filter: "f", ok: true},
		{s: "$share/g/a/+/#", group: "g", filter: "a/+/#", ok: true},
		{s: "$share/g//", group: "g", filter: "/", ok: true},
		{s: "$share/g/$SYS/x", group: "g", filter: "$SYS/x", ok: true},
		{s: "$share/g", ok: true, bad: true}, {s: "$share//f", ok: true, bad: true}, {s: "$share/g/", ok: true, bad: true},
		{s: "$share/g#/f", ok: true, bad: true}, {s: "$share/+/f", ok: true, bad: true}, {s: "$share/", ok: true, bad: true},
		{s: "$share/g/$share/h/f", ok: true, bad: true}, {s: "$share/g/$queue/q", ok: true, bad: true},
		{s: "$share/g/a#", ok: true, bad: true}, {s: "$share/g/#/a", ok: true, bad: true},
		{s: "$share/g\x01/a", ok: true, bad: true}, {s: "$share/\xff/a", ok: true, bad: true},
	} {
		group, filter, ok, err := SplitShare(c.s)
		if group != c.group || filter != c.filter || ok != c.ok || (err != nil) != c.bad {
			t.Errorf("SplitShare(%q) = %q, %q, %v, %v", c.s, group, filter, ok, err)
		}
	}
}

func TestMQTT_MY1_QueueNamesAreTheRestOfTheFilter(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"$queue/a": "a", "$queue/a/b": "a/b", "$queue/": ""} {
		if name, ok := SplitQueue(s); !ok || name != want {
			t.Errorf("SplitQueue(%q) = %q, %v", s, name, ok)
		}
	}
	for _, s := range []string{"", "$queue", "queue/a", "a/$queue/b"} {
		if _, ok := SplitQueue(s); ok {
			t.Errorf("SplitQueue(%q) is a queue", s)
		}
	}
}

func FuzzSplitShare(f *testing.F) {
	for _, s := range []string{"$share/g/f", "$share/g/#", "$share//f", "$share/g", "a", "$share/g/$queue/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		group, filter, ok, err := SplitShare(s)
		if ok != strings.HasPrefix(s, "$share/") {
			t.Fatalf("%q: ok %v", s, ok)
		}
		if !ok || err != nil {
			if group != "" || filter != "" {
				t.Fatalf("%q: %q, %q with %v", s, group, filter, err)
			}
			return
		}
		if "$share/"+group+"/"+filter != s || strings.ContainsAny(group, "/+#") || group == "" || CheckFilter(filter, Limits{}) != nil {
			t.Fatalf("%q: %q, %q", s, group, filter)
		}
	})
}
