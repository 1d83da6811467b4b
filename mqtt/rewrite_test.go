package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

func rewrites(rules ...Rewrite) *Config { return &Config{Rewrite: rules} }

func on(kind, from, to string) Rewrite { return Rewrite{On: kind, From: from, To: to} }

func TestMQTT_MY7_WhatRulesMake(t *testing.T) {
	t.Parallel()
	w := who{client: "c1", user: "u1"}
	for _, x := range []struct{ from, to, in, want string }{
		{"x/+/#", "y/{1}/{#}", "x/a/b/c", "y/a/b/c"},
		{"x/+/#", "y/{1}/{#}", "x/a", "y/a"},   // '#' took nothing
		{"x/+/#", "y/{1}/{#}", "x/a/", "y/a/"}, // one empty level
		{"x/+/#", "y/{1}/{#}", "x//b", "y//b"},
		{"x/+/#", "y/{1}/{#}", "x", "-"},
		{"x/+/#", "y/{1}/{#}", "xx/a", "-"},
		{"x/+/#", "y/{1}/{#}", "y/a", "-"},
		{"x/#", "y/{#}", "x", "y"},
		{"a/b", "c", "a/b", "c"},
		{"a/b", "c", "a/b/c", "-"},
		{"a/b", "c", "a", "-"},
		{"/a/+", "b/{1}", "/a/x", "b/x"},
		{"+/+/+", "s/{3}/{1}/{2}", "a/b/c", "s/c/a/b"},
		{"+/a", "b/{1}/{1}", "x/a", "b/x/x"},
		{"+/a", "{1}/b", "/a", "/b"},
		{"#", "{#}/b", "a", "a/b"},
		{"#", "b/{#}", "$SYS/a", "-"}, // [MQTT-4.7.2-1]
		{"+/a", "b", "$SYS/a", "-"},
		{"$queue/+", "a/{1}", "$queue/q", "a/q"},
		{"x/#", "t/{user}/{client}/{#}", "x/1", "t/u1/c1/1"},
		{"x", "{client}", "x", "c1"},
		{"x/+", "{1}/x", "x/$SYS", "!"}, // a value does not make a '$' topic
		{"x/#", "{#}", "x/$share/g/f", "!"},
		{"x/#", "{#}", "x", "!"},
		{"x/+", "$queue/{1}", "x/q", "$queue/q"}, // the rule does
		{"h/+", "y/{1}", "h/+", "y/+"},           // filters
		{"h/+", "y/{1}", "h/#", "-"},
		{"h/#", "y/{#}", "h/+/#", "y/+/#"},
		{"h/a", "y", "h/+", "-"},
		{"h/+/+", "y/{1}/{2}", "h/+/b", "y/+/b"},
		{"ü/+", "ä/{1}", "ü/日本", "ä/日本"},
	} {
		r := on("all", x.from, x.to)
		one, err := r.compile()
		if err != nil {
			t.Errorf("%s -> %s: %v", x.from, x.to, err)
			continue
		}
		got, changed, ok := apply([]rule{one}, []byte("dst:"), []byte(x.in), w)
		out := strings.TrimPrefix(string(got), "dst:")
		switch {
		case !changed:
			out = "-"
		case !ok || out == "":
			out = "!"
		}
		if out != x.want {
			t.Errorf("%s -> %s: %s becomes %q, want %q", x.from, x.to, x.in, out, x.want)
		}
		if model := naive(x.from, x.to, x.in, w); model != out {
			t.Errorf("%s -> %s: %s becomes %q, the model says %q", x.from, x.to, x.in, out, model)
		}
	}
}

// naive says what one rule makes of a topic or filter, in the words of the
// statement: "-" when it does not match, "!" when a value cannot be a level.
func naive(from, to, in string, w who) string {
	f, levels := strings.Split(from, "/"), strings.Split(in, "/")
	if strings.HasPrefix(in, "$") && (f[0] == "+" || f[0] == "#") {
		return "-"
	}
	values := map[string][]string{"{client}": {w.client}, "{user}": {w.user}}
	plus := 0
	for i, level := range f {
		if level == "#" {
			values["{#}"] = levels[min(i, len(levels)):]
			levels = levels[:min(i, len(levels))]
			f = f[:i]
			break
		}
		if i >= len(levels) {
			return "-"
		}
		if level == "+" && levels[i] != "#" {
			plus++
			values[fmt.Sprintf("{%d}", plus)] = levels[i : i+1]
		} else if level != levels[i] {
			return "-"
		}
	}
	if len(levels) != len(f) {
		return "-"
	}
	var out []string
	for _, level := range strings.Split(to, "/") {
		taken, isPlaceholder := values[level]
		if !isPlaceholder {
			taken = []string{level}
		}
		if (level == "{client}" || level == "{user}") && (taken[0] == "" || strings.ContainsAny(taken[0], "/+#")) {
			return "!"
		}
		out = append(out, taken...)
	}
	s := strings.Join(out, "/")
	if s == "" || strings.HasPrefix(s, "$") && !strings.HasPrefix(to, "$") {
		return "!"
	}
	return s
}

func FuzzRewrite(f *testing.F) {
	f.Add("x/+/#", "y/{1}/{#}", "x/a/b", "c", "u")
	f.Add("+/a/+", "s/{2}/{client}/{1}", "/a/+", "c/d", "")
	f.Add("#", "{user}", "$SYS", "#", "$share")
	f.Add("a/#", "{#}/b", "a//", "", "é")
	f.Fuzz(func(t *testing.T, from, to, in, client, user string) {
		cfg := Config{Rewrite: []Rewrite{{From: from, To: to}}}
		w := who{client: client, user: user}
		r := cfg.Rewrite[0]
		x, err := r.compile()
		if err != nil || in == "" {
			return
		}
		got, changed, ok := apply([]rule{x}, nil, []byte(in), w)
		out := string(got)
		if !changed {
			out = "-"
		} else if !ok || out == "" {
			out = "!"
		}
		if model := naive(from, to, in, w); out != model {
			t.Fatalf("%q -> %q: %q becomes %q, the model says %q", from, to, in, out, model)
		}
		if !changed || !ok || cfg.Validate() != nil {
			return
		}
		if x.matches(got) {
			t.Fatalf("%q -> %q: %q becomes %q, which matches again", from, to, in, got)
		}
		if n := strings.Count(in, "+") + strings.Count(in, "#"); n == 0 && strings.ContainsAny(out, "+#") {
			t.Fatalf("%q -> %q: %q becomes %q, with a wildcard", from, to, in, got)
		}
	})
}

func TestMQTT_MY7_PublishIsRewritten(t *testing.T) {
	run(t, rewrites(on("publish", "x/+/#", "y/{1}/{#}"), on("publish", "x/#", "z/{client}/{user}/{#}"), on("subscribe", "never/#", "at/{#}")), func(w *world) {
		r, p := w.reader("r", v5, "#"), w.connect("p", v5)
		p.send(pub("x/a/b", "1", 0, 0), pub("x/a/b", "2", 1, 1), pub("x", "3", 2, 2), pub("never/a", "4", 0, 0), retained("x/k", "5", 1, 3), pub("x/k", "6", 0, 0))
		p.want("PUBACK #1", "PUBREC #2", "PUBACK #3")
		r.want(`PUBLISH y/a/b "1"`, `PUBLISH q1 #3 y/a/b "2"`, `PUBLISH q2 #4 z/p/anonymous "3"`, `PUBLISH never/a "4"`, `PUBLISH q1 #6 y/k "5"`, `PUBLISH y/k "6"`)
		late := w.connect("late", v5)
		late.send(subs(1, "x/k", "y/k"))
		late.want("SUBACK #1 01 01", `PUBLISH q1 #1 retain y/k "5"`)
	})
}

func TestMQTT_MY7_AliasesStandForTheTopicAsSent(t *testing.T) {
	run(t, rewrites(on("all", "x/#", "y/{#}")), func(w *world) {
		r, p := w.reader("r", v5, "#"), w.connect("p", v5)
		p.send(with(pub("x/1", "a", 0, 0), setNum(packet.TopicAlias, 1)), with(pub("", "b", 0, 0), setNum(packet.TopicAlias, 1)), pub("x/2", "c", 0, 0),
			with(pub("", "d", 0, 0), setNum(packet.TopicAlias, 1)))
		r.want(`PUBLISH y/1 "a"`, `PUBLISH y/1 "b"`, `PUBLISH y/2 "c"`, `PUBLISH y/1 "d"`)
	})
}

func TestMQTT_MY7_SubscribeAndUnsubscribeAreRewritten(t *testing.T) {
	run(t, rewrites(on("subscribe", "x/+/#", "y/{1}/{client}/{#}")), func(w *world) {
		p := w.connect("p", v5)
		for _, x := range []struct{ filter, hears, not string }{
			{"x/a/b", "y/a/r/b", "x/a/b"},
			{"x/+/b", "y/q/r/b", "y/q/b"},
			{"x/a/#", "y/a/r/b/c", "y/b/r/b"},
			{"$share/g/x/a/#", "y/a/r/b", "x/a/b"},
			{"x", "x", "y"},
			{"x/#", "x/a", "y/a/r"}, // more than the rule's from: left as it is
		} {
			r := w.connect("r", v5)
			r.send(sub(1, x.filter, 0))
			r.want("SUBACK #1 00")
			p.send(pub(x.hears, "1", 0, 0), pub(x.not, "2", 0, 0))
			r.want(fmt.Sprintf("PUBLISH %s %q", x.hears, "1"))
			r.send(unsub(2, x.filter), unsub(3, x.filter))
			r.want("UNSUBACK #2 00", "UNSUBACK #3 11")
		}
	})
}

func TestMQTT_MY7_SharesAreSetAsideAndPutBack(t *testing.T) {
	run(t, rewrites(on("subscribe", "#", "$share/y/{#}")), func(w *world) {
		r := w.connect("r", v5)
		r.send(subs(1, "a", "$share/g/a", "$share/g", "$share//a", "$queue/q"))
		r.want("SUBACK #1 01 8f 8f 8f 01") // what becomes a share of a share is none
		r.send(unsub(2, "a", "$share/g/a", "$share/g"))
		r.want("UNSUBACK #2 00 8f 8f")
		w.connect("p", v5).send(pub("a", "x", 0, 0))
		r.want() // "$share/y/a" has ended
	})
}

func TestMQTT_MY7_WillAndResponseTopicAreRewritten(t *testing.T) {
	run(t, rewrites(on("publish", "x/#", "y/{user}/{client}/{#}")), func(w *world) {
		r := w.reader("r", v5, "#")
		p := w.connect("p", v5, will("x/gone", "w", 1, false, setStr(packet.ResponseTopic, "x/re")), as("u", "pw"))
		p.send(with(pub("x/ask", "?", 0, 0), setStr(packet.ResponseTopic, "x/answer")), with(pub("other", "?", 0, 0), setStr(packet.ResponseTopic, "x/answer")),
			with(pub("x/ask", "?", 0, 0), setStr(packet.ResponseTopic, "elsewhere")))
		r.want(`PUBLISH y/u/p/ask "?" 08=y/u/p/answer`, `PUBLISH other "?" 08=y/u/p/answer`, `PUBLISH y/u/p/ask "?" 08=elsewhere`)
		p.Drop()
		r.want(`PUBLISH q1 #5 y/u/p/gone "w" 08=y/u/p/re`)
		old := w.connect("old", v311, will("x/gone", "w", 0, false), as("u", "pw"))
		old.Drop()
		r.want(`PUBLISH y/u/old/gone "w"`)
	}, authBy(login{}))
}

func TestMQTT_MY7_RewritingPrecedesTheACL(t *testing.T) {
	run(t, rewrites(on("all", "x/#", "y/{#}")), func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("x/ok", "x", 1, 1), pub("x/no", "x", 1, 2), subs(3, "x/ok", "x/no"))
		p.want("PUBACK #1 10", "PUBACK #2 87", "SUBACK #3 01 87")
		w.dial("w", v5, will("x/no", "x", 0, false)).ends("CONNACK code=87")
		w.connect("v", v5, will("x/ok", "x", 0, false)).open()
	}, denying("publish x/ok", "publish y/no", "subscribe x/ok", "subscribe y/no", "will x/ok"))
}

func TestMQTT_MY7_IllegalResults(t *testing.T) {
	rules := rewrites(on("all", "c/#", "y/{client}/{#}"), on("all", "u/#", "z/{user}/{#}"), on("subscribe", "mid/#", "m/{#}/x"),
		on("subscribe", "drop/+", "dropped"))
	run(t, rules, func(w *world) {
		users := []string{"a/b", "+", "#", "a+", "", "u\u0085"}
		for _, u := range users[:5] {
			p := w.connect("p", v5, as(u, ""))
			p.send(subs(1, "u/a", "fine"), unsub(2, "u/a"))
			p.want("SUBACK #1 8f 01", "UNSUBACK #2 8f")
			p.send(pub("u/a", "x", 1, 1))
			p.ends("DISCONNECT 90")
			p = w.connect("p", v5, as(u, ""))
			p.send(with(pub("a", "x", 0, 0), setStr(packet.ResponseTopic, "u/re")))
			p.ends("DISCONNECT 90")
			w.dial("p", v5, as(u, ""), will("u/a", "x", 0, false)).ends("CONNACK code=90")
			w.dial("p", v5, as(u, ""), will("a", "x", 0, false, setStr(packet.ResponseTopic, "u/re"))).ends("CONNACK code=90")
			q := w.connect("q", v311, as(u, ""))
			q.send(subs(1, "u/a", "fine"))
			q.want("SUBACK #1 80 01")
			q.send(pub("u/a", "x", 0, 0))
			q.ends()
			w.dial("q", v311, as(u, ""), will("u/a", "x", 0, false)).ends()
			o := w.connect("o", v31, as(u, ""))
			o.send(subs(1, "u/a"))
			o.ends()
		}
		p := w.connect("a/b", v5, as("u", ""))
		p.send(subs(1, "c/1", "mid/#", "mid/a", "drop/a", "drop/a#", ""))
		p.want("SUBACK #1 8f 8f 01 01 8f 8f")
		p = w.connect("p", v5, as("u", ""))
		long := "c/" + strings.Repeat("a/", 125) + "a" // 127 levels become 128, and 129 with one more
		p.send(pub(long, "x", 1, 1), pub(long+"/a", "x", 1, 2), pub("c/"+strings.Repeat("x", 65533), "x", 1, 3))
		p.ends("PUBACK #1 10", "PUBACK #2 90", "DISCONNECT 90")
		if w.count("protocol_errors_total", "mqtt", "bad topic") == 0 {
			t.Error("not counted")
		}
	}, authBy(login{}))
}

func TestMQTT_MY7_AValueMakesNoTopicThatBeginsWithADollar(t *testing.T) {
	run(t, rewrites(on("all", "k/k/+/#", "{1}/g/{#}")), func(w *world) {
		p := w.connect("p", v5)
		p.send(subs(1, "k/k/$share/f", "k/k/$SYS/#", "k/k/$queue", "k/k/s/x"))
		p.want("SUBACK #1 8f 8f 8f 01")
		p.send(pub("k/k/$SYS/x", "x", 1, 1))
		p.ends("DISCONNECT 90")
	})
}

func TestMQTT_MY7_FirstRuleOnce(t *testing.T) {
	run(t, rewrites(on("publish", "a/1", "first"), on("publish", "a/+", "second/{1}"), on("subscribe", "second/#", "a/{#}")), func(w *world) {
		r, p := w.reader("r", v5, "#"), w.connect("p", v5)
		p.send(pub("a/1", "x", 0, 0), pub("a/2", "x", 0, 0))
		r.want(`PUBLISH first "x"`, `PUBLISH second/2 "x"`)
	})
}

func TestMQTT_MY7_MY5_DelayedTopicsAreRewritten(t *testing.T) {
	cfg := rewrites(on("publish", "x/#", "y/{#}"), on("publish", "later/+/#", "$delayed/{1}/z/{#}"))
	cfg.Delayed = true
	run(t, cfg, func(w *world) {
		r, p := w.reader("r", v5, "#"), w.connect("p", v311)
		p.send(pub("$delayed/5/x/a", "1", 1, 1), pub("later/6/b", "2", 1, 2))
		p.want("PUBACK #1", "PUBACK #2")
		w.Advance(5 * time.Second)
		r.want(`PUBLISH q1 #2 y/a "1"`)
		w.Advance(time.Second)
		r.want(`PUBLISH q1 #3 z/b "2"`)
		q := w.connect("q", v5)
		q.send(pub("later/soon/b", "x", 1, 1))
		q.ends("DISCONNECT 90")
	})
}

func TestMQTT_MY7_RulesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		says  string
		rules []Rewrite
	}{
		{`mqtt.rewrite[1]: it makes "x/+/#", which mqtt.rewrite[0] changes by its from "x/#"`, []Rewrite{on("all", "x/#", "y/{#}"), on("publish", "z/+/#", "x/{1}/{#}")}},
		{`mqtt.rewrite[0]: it makes "y/#", which mqtt.rewrite[1] changes`, []Rewrite{on("all", "x/#", "y/{#}"), on("subscribe", "y/+", "z/{1}")}},
		{`mqtt.rewrite[0]: it makes "x/+", which mqtt.rewrite[1]`, []Rewrite{on("", "a", "x/{client}"), on("", "x/b", "c")}},
		{`mqtt.rewrite[0].to: there is no placeholder {foo}`, []Rewrite{on("", "x/#", "y/{foo}")}},
		{`mqtt.rewrite[0].to: {2} stands for a wildcard that "x/+" does not have`, []Rewrite{on("", "x/+", "y/{2}")}},
		{`mqtt.rewrite[0].to: {#} stands for a wildcard`, []Rewrite{on("", "x/+", "y/{#}")}},
		{`mqtt.rewrite[0].to: {0} stands for a wildcard`, []Rewrite{on("", "x/+", "y/{0}")}},
		{`mqtt.rewrite[0].to: {01} stands for a wildcard`, []Rewrite{on("", "x/+", "y/{01}")}},
		{`mqtt.rewrite[0].to: a placeholder is a whole level, which "a{1}" is not`, []Rewrite{on("", "x/+", "y/a{1}")}},
		{`mqtt.rewrite[0].to: a placeholder is a whole level`, []Rewrite{on("", "x/+", "y/{1}{1}")}},
		{`mqtt.rewrite[0].to: a placeholder is a whole level`, []Rewrite{on("", "x/+", "y/{client")}},
		{`mqtt.rewrite[0].to: "y/+" holds a wildcard`, []Rewrite{on("", "x/+", "y/+")}},
		{`mqtt.rewrite[0].to: "y/#" holds a wildcard`, []Rewrite{on("", "x/#", "y/#")}},
		{`mqtt.rewrite[0].to: "" is no topic`, []Rewrite{on("", "x/#", "")}},
		{`mqtt.rewrite[0].from: "" is no topic filter`, []Rewrite{on("", "", "y")}},
		{`mqtt.rewrite[1].from: "x#" is no topic filter`, []Rewrite{on("", "a", "b"), on("", "x#", "y")}},
		{`mqtt.rewrite[0].from: $share/NAME/ is set aside`, []Rewrite{on("", "$share/g/x", "y")}},
		{`mqtt.rewrite[0].on: "puplish" is none of publish, subscribe, all`, []Rewrite{on("puplish", "x", "y")}},
	} {
		err := rewrites(x.rules...).Validate()
		if err == nil || !strings.HasPrefix(err.Error(), x.says) {
			t.Errorf("%v: %v\nwant %s", x.rules, err, x.says)
		}
	}
	for _, rules := range [][]Rewrite{
		{on("publish", "x/#", "y/{#}"), on("subscribe", "y/#", "x/{#}")}, // of different kinds
		{on("publish", "#", "$queue/{client}")},                          // '#' does not match what begins with '$'
		{on("", "x", "y"), on("", "x", "z")},
		{on("", "#", "tenant/{user}/{#}")}, // its own results: it is applied once
	} {
		if err := rewrites(rules...).Validate(); err != nil {
			t.Errorf("%v: %v", rules, err)
		}
	}
}

func TestMQTT_MY7_RewritingAllocatesNothing(t *testing.T) {
	x := newBencherWith(t, rewrites(twentyRules()...))
	r := x.connect(packet.V5, sub(1, "to/#", 0))
	p := x.connect(packet.V5)
	const batch = 64
	var run, turns []byte
	for i := range batch {
		run = pub("from/19/4711/temperature", strings.Repeat("x", 64), 0, 0).AppendTo(run, packet.V5)
		turns = pub(fmt.Sprintf("nobody/%d", i%2), strings.Repeat("x", 64), 0, 0).AppendTo(turns, packet.V5)
		turns = pub(fmt.Sprintf("from/%d", i%2), strings.Repeat("x", 64), 0, 0).AppendTo(turns, packet.V5)
	}
	for _, c := range []struct {
		name string
		in   []byte
		most float64
	}{
		{"a run", run, 1.2},                     // the message alone
		{"topics in turn", turns, 2*(1+1) + .6}, // and the string of the topic, for each of two
	} {
		turn := func() {
			x.turn.Begin()
			x.input(p, c.in)
			x.wake()
			x.turn.End()
		}
		turn()
		if n := testing.AllocsPerRun(50, turn) / batch; n > c.most {
			t.Errorf("%s: %.2f allocations for each message, want %.1f", c.name, n, c.most)
		}
	}
	_ = r
}

// twentyRules are what the last of them has to look through.
func twentyRules() (rules []Rewrite) {
	for i := range 20 {
		rules = append(rules, on("all", fmt.Sprintf("from/%d/+/#", i), fmt.Sprintf("to/%d/{1}/{client}/{#}", i)))
	}
	return rules
}
