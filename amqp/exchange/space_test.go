package exchange

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// bound makes an exchange of the type with a queue for each key, named as it.
func bound(t *testing.T, typ string, keys ...string) *Space {
	t.Helper()
	s := NewSpace(100)
	if r := s.Declare(Spec{Name: "x", Type: typ}, nil); r != core.OK {
		t.Fatal(r)
	}
	for _, k := range keys {
		if r := s.Bind(Binding{Exchange: "x", Queue: k, Key: k}, false, nil); r != core.OK {
			t.Fatalf("%q: %v", k, r)
		}
	}
	return s
}

func TestAMQP_AM12_BindingsOfADeclaredTopicExchange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ binding, matches, not string }{
		{"a.*.c", "a.b.c a..c", "a.c a.b.d.c"},
		{"*", "a b $x", "a.b <empty>"},
		{"*.*", "a.b . .a a. $SYS.x", "a a.b.c"},
		{"a.#", "a a.b a..", "b <empty>"},
		{"#", "a a.b <empty> $SYS.x", ""},
		{"#.b", "b a.b a.c.b", "a b.a"},
		{"a.#.c", "a.c a..c a.b.c a.b.d.c", "a c"},
		{"*.#", "a a.b .", "<empty>"},
		{"#.#", "a <empty> a.b", ""},
		{"a.#.#", "a a.b", "b"},
		{"<empty>", "<empty>", "a ."},
	} {
		binding := strings.Trim(c.binding, "<>")
		if binding == "empty" {
			binding = ""
		}
		s := bound(t, "topic", binding)
		check := func(keys string, want int) {
			for _, k := range strings.Fields(keys) {
				key := strings.ReplaceAll(k, "<empty>", "")
				if got := s.Route(nil, "x", key, nil); len(got) != want {
					t.Errorf("binding %q, key %q: %d queues, want %d", c.binding, k, len(got), want)
				}
			}
		}
		check(c.matches, 1)
		check(c.not, 0)
	}
}

func TestAMQP_AQ28_AMessageReachesAQueueOnce(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"direct", "fanout", "topic", "headers"} {
		s := NewSpace(100)
		s.Declare(Spec{Name: "x", Type: typ}, nil)
		for _, args := range []wire.Table{nil, wire.Table{}.Append("x-a", wire.Int(1))} {
			s.Bind(Binding{Exchange: "x", Queue: "q", Key: "k", Args: args}, false, nil)
			s.Bind(Binding{Exchange: "x", Queue: "q", Key: "k", Args: args}, false, nil)
		}
		if got := s.Route(nil, "x", "k", nil); !slices.Equal(got, []string{"q"}) {
			t.Errorf("%s: %q", typ, got)
		}
		s.Unbind(Binding{Exchange: "x", Queue: "q", Key: "k"}, nil)
		if got := s.Route(nil, "x", "k", nil); !slices.Equal(got, []string{"q"}) {
			t.Errorf("%s: unbind needs equal arguments: %q", typ, got)
		}
		s.DropQueue("q", nil)
		if got := s.Route(nil, "x", "k", nil); len(got) != 0 {
			t.Errorf("%s: a queue that has gone: %q", typ, got)
		}
	}
}

func TestAMQP_AM12_TooManyHashesAreRefused(t *testing.T) {
	t.Parallel()
	s := bound(t, "topic")
	if r := s.Bind(Binding{Exchange: "x", Queue: "q", Key: "#.a.#.b.#.c.#.d.#"}, false, nil); r != core.BadFilter {
		t.Fatal(r)
	}
}

func TestAMQP_AQ27_HeaderMatching(t *testing.T) {
	t.Parallel()
	args := func(kind string, kv ...any) wire.Table {
		t := wire.Table{}
		if kind != "" {
			t = t.Append("x-match", wire.Longstr(kind))
		}
		for i := 0; i < len(kv); i += 2 {
			t = t.Append(kv[i].(string), kv[i+1].(wire.Value))
		}
		return t
	}
	one, two, text := wire.Int(1), wire.Int(2), wire.Longstr("1")
	for i, c := range []struct {
		binding, message wire.Table
		want             bool
	}{
		{args("", "a", one, "b", two), args("", "a", one, "b", two, "c", one), true},
		{args("", "a", one, "b", two), args("", "a", one), false},
		{args("all", "a", one), args("", "a", wire.Long(1)), true},
		{args("all", "a", one), args("", "a", text), false},
		{args("any", "a", one, "b", two), args("", "b", two), true},
		{args("any", "a", one, "b", two), args("", "b", one), false},
		{args("all", "a", wire.Void()), args("", "a", text), true},
		{args("all", "x-a", one), args(""), true},
		{args("all-with-x", "x-a", one), args(""), false},
		{args("any-with-x", "x-a", one, "b", one), args("", "x-a", one), true},
		{args("any", "x-a", one), args("", "x-a", one), false},
		{args("all", "f", wire.Double(0.5)), args("", "f", wire.Value{Type: 'f', Raw: []byte{0x3f, 0, 0, 0}}), true},
	} {
		if got := matchHeaders(c.binding, c.message); got != c.want {
			t.Errorf("case %d: %t", i, got)
		}
	}
	s := bound(t, "headers")
	if r := s.Bind(Binding{Exchange: "x", Queue: "q", Args: args("some")}, false, nil); r != core.Precondition {
		t.Error(r)
	}
}

func TestAMQP_AQ25_AutoDeleteGoesWithItsLastBinding(t *testing.T) {
	t.Parallel()
	s := NewSpace(100)
	s.Declare(Spec{Name: "x", Type: "direct", AutoDelete: true}, nil)
	b := Binding{Exchange: "x", Queue: "q", Key: "k"}
	s.Unbind(b, nil)
	if _, ok := s.Lookup("x"); !ok {
		t.Fatal("gone before its first binding")
	}
	s.Bind(b, false, nil)
	s.Unbind(b, nil)
	if _, ok := s.Lookup("x"); ok {
		t.Fatal("still there")
	}
}

func TestMaxExchangesBoundsASpace(t *testing.T) {
	t.Parallel()
	s := NewSpace(8)
	var last core.Reason
	for i := range 4 {
		last = s.Declare(Spec{Name: fmt.Sprint(i), Type: "direct"}, nil)
	}
	if last != core.Quota {
		t.Fatal(last)
	}
}

func TestAMQP_AQ31_ArgumentsCompareByValue(t *testing.T) {
	t.Parallel()
	a := wire.Table{}.Append("n", wire.Int(5)).Append("s", wire.Longstr("x"))
	for name, c := range map[string]struct {
		b    wire.Table
		same bool
	}{
		"widths": {wire.Table{}.Append("n", wire.Value{Type: 'B', Raw: []byte{5}}).Append("s", wire.Longstr("x")), true},
		"order":  {wire.Table{}.Append("s", wire.Longstr("x")).Append("n", wire.Long(5)), true},
		"value":  {wire.Table{}.Append("n", wire.Int(6)).Append("s", wire.Longstr("x")), false},
		"type":   {wire.Table{}.Append("n", wire.Longstr("5")).Append("s", wire.Longstr("x")), false},
		"more":   {a.Append("t", wire.Bool(true)), false},
	} {
		if got := Canonical(a) == Canonical(c.b); got != c.same {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func BenchmarkRouteTopic(b *testing.B) {
	s := NewSpace(10)
	s.Declare(Spec{Name: "x", Type: "topic"}, nil)
	for i := range 1000 {
		s.Bind(Binding{Exchange: "x", Queue: fmt.Sprint(i), Key: fmt.Sprintf("a.%d.#", i)}, false, nil)
	}
	var dst []string
	b.ReportAllocs()
	for b.Loop() {
		dst = s.Route(dst[:0], "x", "a.500.b.c", nil)
	}
	if len(dst) != 1 {
		b.Fatal(dst)
	}
}
