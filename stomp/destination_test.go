package stomp

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core/topic"
)

func TestSTOMP_ST29_AQueueNameHasNoRawSlash(t *testing.T) {
	t.Parallel()
	var c Config
	for in, want := range map[string]string{
		"/queue/a": "a", "/queue/a%2Fb": "a/b", "/queue/a%2fb": "a/b", "/queue/50%25": "50%", "/queue/%252F": "%2F", "/queue/a.b": "a.b",
	} {
		d, bad := c.parseSend(in)
		if bad != nil || d.kind != toQueue || d.name != want {
			t.Errorf("%s: %+v, %+v", in, d, bad)
		}
	}
	for in, body := range map[string]string{
		"/queue/a/b":   "'/a/b' is not a valid queue destination\n",
		"/queue":       "'' is not a valid queue destination\n",
		"/queue/":      "'/' is not a valid queue destination\n",
		"/topic":       "'' is not a valid topic destination\n",
		"/topic/":      "'/' is not a valid topic destination\n",
		"/exchange":    "'' is not a valid exchange destination\n",
		"/amq/queue":   "'' is not a valid queue destination\n",
		"/temp-queue/": "'/' is not a valid temp-queue destination\n",
	} {
		if _, bad := c.parseSend(in); bad == nil || bad.message != "Invalid destination" || bad.body != body {
			t.Errorf("%s: %+v", in, bad)
		}
	}
	if d, bad := (&Config{QueueSlash: true}).parseSend("/queue/a/b"); bad != nil || d.name != "a/b" {
		t.Errorf("queue_slash: %+v, %+v", d, bad)
	}
}

func TestSTOMP_UnknownPrefixListsTheValidOnes(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"/other/a", "/", "/Topic/a", "/amq/other", "/temp-topic/x"} {
		_, bad := new(Config).parseSend(in)
		if bad == nil || bad.message != "Unknown destination" || !strings.Contains(bad.body, "/topic/, /queue/") {
			t.Errorf("%s: %+v", in, bad)
		}
	}
	if d, bad := (&Config{UnknownPrefix: "topic"}).parseSend("/other/a"); bad != nil || d.kind != toTopic || d.name != "/other/a" {
		t.Errorf("unknown_prefix topic: %+v, %+v", d, bad)
	}
	if _, bad := new(Config).parseSend("/exchange/nope/k"); bad == nil || bad.message != "not_found" || !strings.HasPrefix(bad.body, "NOT_FOUND") {
		t.Errorf("unknown exchange: %+v", bad)
	}
}

// The table of docs/stomp.md, "Styles".
func TestSTOMP_ST33_FiltersInBothStyles(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		dest  string
		style style
		want  string
	}{
		{"/topic/a/b.c", slash, "a/b.c"},
		{"/topic/a.b.c", dot, "a/b/c"},
		{"/topic/a.b%2Ec", dot, "a/b.c"},
		{"/topic/test", dot, "test"},
		{"/topic//a/b", slash, "/a/b"},
		{"/topic/a.*.c", dot, "a/+/c"},
		{"/topic/a/*/c", slash, "a/+/c"},
		{"/topic/a/+/c", slash, "a/+/c"},
		{"/topic/a.+.c", dot, "a/+/c"},
		{"/topic/a.>", dot, "a/#"},
		{"/topic/a.#", dot, "a/#"},
		{"/topic/a/#", slash, "a/#"},
		{"/topic/a/>", slash, "a/#"},
		{"/topic/a.#.c", dot, "a/#/c"},
		{"/topic/>", dot, "#"},
		{"/topic/a.%2A", dot, "a/*"},
		{"a/+/c", bare, "a/+/c"},
		{"a.b/#", bare, "a.b/#"},
		{"/exchange/amq.topic/a.#.c", dot, "a/#/c"},
		{"/exchange/amq.topic", dot, "#"},
	} {
		d, bad := new(Config).parseSubscribe(row.dest)
		if bad != nil || d.kind != toTopic || d.style != row.style || d.name != row.want || d.wide != (row.want == "a/#/c") {
			t.Errorf("%s: %+v, %+v", row.dest, d, bad)
		}
	}
	for _, dest := range []string{"/topic/a.>.c", "/topic/a/>/c", "/topic/a/#/c", "a/#/c", "a+/b", "/topic/a+b/c"} {
		if d, bad := new(Config).parseSubscribe(dest); bad == nil || bad.message != "Invalid destination" {
			t.Errorf("SUBSCRIBE %s: %+v, %+v", dest, d, bad)
		}
	}
	for _, dest := range []string{"/topic/a.+", "/topic/a/#", "a/+", "/topic/#", "/topic/a+b"} {
		if d, bad := new(Config).parseSend(dest); bad == nil || bad.message != "Invalid destination" {
			t.Errorf("SEND %s: %+v, %+v", dest, d, bad)
		}
	}
	for dest, want := range map[string]string{"/topic/a.*": "a/*", "/topic/a/>": "a/>", "a/*": "a/*", "/topic/a.>": "a/>"} {
		if d, bad := new(Config).parseSend(dest); bad != nil || d.name != want {
			t.Errorf("SEND %s: %+v, %+v", dest, d, bad)
		}
	}
}

func TestSTOMP_ST33_ForcedStyles(t *testing.T) {
	t.Parallel()
	if d, bad := (&Config{TopicStyle: "slash"}).parseSend("/topic/a.b"); bad != nil || d.name != "a.b" {
		t.Errorf("slash: %+v, %+v", d, bad)
	}
	if _, bad := (&Config{TopicStyle: "dot"}).parseSend("/topic/a/b"); bad == nil || bad.message != "Invalid destination" {
		t.Errorf("dot: %+v", bad)
	}
}

func TestSTOMP_ST36_ReservedTopicsAndSharedFilters(t *testing.T) {
	t.Parallel()
	var c Config
	for _, dest := range []string{"/topic/$SYS/x", "$SYS/x", "/topic/$SYS", "$share/g/a"} {
		if _, bad := c.parseSend(dest); bad == nil || bad.message != "access_refused" || !strings.HasPrefix(bad.body, "ACCESS_REFUSED") {
			t.Errorf("%s: %+v", dest, bad)
		}
	}
	for _, dest := range []string{"/topic/$share.g.a", "/topic/$queue.*", "/topic/$queue/+", "$share/g/$queue/x", "$share/g"} {
		if d, bad := c.parseSubscribe(dest); bad == nil {
			t.Errorf("%s: %+v", dest, d)
		}
	}
	for _, dest := range []string{"/topic/$queue/jobs", "/topic/$queue.jobs", "$queue/jobs", "/queue/jobs"} {
		d, bad := c.parseSend(dest)
		s, bad2 := c.parseSubscribe(dest)
		if bad != nil || bad2 != nil || d.kind != toQueue || d.name != "jobs" || s.kind != toQueue || s.name != "jobs" {
			t.Errorf("%s: %+v %+v %+v %+v", dest, d, bad, s, bad2)
		}
	}
	for _, dest := range []string{"$share/g/a/+", "/topic/$share/g/a/*"} {
		if d, bad := c.parseSubscribe(dest); bad != nil || d.group != "g" || d.name != "a/+" {
			t.Errorf("%s: %+v, %+v", dest, d, bad)
		}
	}
}

func TestSTOMP_ST35_ADestinationIsRenderedInTheStyleOfItsSubscription(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		topic string
		style style
		want  string
	}{
		{"a/b.c", slash, "/topic/a/b.c"},
		{"a/b.c", dot, "/topic/a.b%2Ec"},
		{"a/b.c", bare, "a/b.c"},
		{"a.b", slash, "/topic/a%2Eb"},
		{"test", slash, "/topic/test"},
		{"/a/b", bare, "/topic//a/b"},
		{"$queue/a/b%", slash, "/queue/a%2Fb%25"},
	} {
		if got := string(appendTopic(nil, row.topic, row.style)); got != row.want {
			t.Errorf("%s: %s, want %s", row.topic, got, row.want)
		}
	}
}

func FuzzSTOMP_ST34_DestinationsComeBack(f *testing.F) {
	for _, s := range []string{"a/b.c", "/", "//", "a*b/#c", "50%/x", "%2E", "a.b", "ü/é", "+", "$queue/a/b", "$queue/%2F"} {
		for st := range byte(3) {
			f.Add(s, st)
		}
	}
	f.Fuzz(func(t *testing.T, name string, st byte) {
		if topic.CheckName(name, topic.Limits{}) != nil || name[0] == '$' && !strings.HasPrefix(name, "$queue/") {
			return
		}
		if q, ok := topic.SplitQueue(name); ok && (q == "" || strings.HasPrefix(q, tempPrefix)) {
			return
		}
		text := string(appendTopic(nil, name, style(st%3)))
		d, bad := new(Config).parseSend(text)
		if bad != nil {
			t.Fatalf("%q as %q: %+v", name, text, bad)
		}
		back := d.name
		if d.kind == toQueue {
			back = "$queue/" + back
		}
		if back != name {
			t.Fatalf("%q as %q came back as %q", name, text, back)
		}
	})
}
