package abuse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/test/rig"
)

// awkward are the pieces of values: what means something to one protocol and nothing to another.
var awkward = []string{"a", "b", "\r", "\n", "\r\n", "\x00", ":", ".", "*", ">", "%", "%2F", "%0a", " ", "\\", "\\n", "\\c", "/", "é", "\u2028", "#", "+", "$", "\t", "\x7f", ";", ",", "\"", "\xce",
	"\r\ninjected:1", "\n\n\x00SEND\ndestination:fz/injected\n\ninjected\x00", "{client}"}

func fuzzed(r *rand.Rand, most int) string {
	var b strings.Builder
	for range 1 + r.IntN(most) {
		b.WriteString(awkward[r.IntN(len(awkward))])
	}
	return b.String()
}

// plain is fuzzed without wildcards, which clients spell in ways of their own, and without what text never holds: NUL, and
// bytes that are not UTF-8. Correlation data may.
func plain(r *rand.Rand, most int) string {
	return strings.NewReplacer("#", "", "+", "", "\xce", "é", "\x00", "").Replace(fuzzed(r, most))
}

// control tells whether no topic may hold a rune.
func control(c rune) bool { return c < 0x20 || c >= 0x7f && c < 0xa0 }

func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if control(c) || c == utf8.RuneError {
			return -1
		}
		return c
	}, s)
}

// ear is a receiver of one protocol.
type ear struct {
	protocol string
	mu       sync.Mutex
	got      []dial.Message
	when     time.Time // of the last one
}

func (e *ear) add(m dial.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got, e.when = append(e.got, m), time.Now()
}

// take returns what came, when the last message is there and all others are, or none has come for a while; nil before. Only
// the order of one topic is promised: one that MQTT-SN has to register lets others pass.
func (e *ear) take(last string, others int) []dial.Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.got, func(m dial.Message) bool { return string(m.Payload) == last })
	if i < 0 || len(e.got) <= others && time.Since(e.when) < 2*time.Second {
		return nil
	}
	got := slices.Delete(e.got, i, i+1)
	e.got = nil
	return got
}

// TestSECURITY_E12_AValueArrivesAsItIsOrNotAtAll: topics, headers, content types, reply topics and correlation data of awkward
// characters go by every ordered pair of protocols. A receiver parses one message for each that was taken, with the same
// values; what its protocol cannot say is missing, and counted.
func TestSECURITY_E12_AValueArrivesAsItIsOrNotAtAll(t *testing.T) {
	protocols := []string{"mqtt", "mqtt3", "mqttsn", "coap", "stomp", "amqp"}
	attack{moved: []string{"mapping_dropped"}}.run(t, func(g *target) {
		var ears []*ear
		for _, p := range protocols {
			e := &ear{protocol: p}
			c, err := g.Dial(p, "", "", "ear-"+p, e.add)
			if err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			if err := rig.Subscribe(c, "fz/#"); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			ears = append(ears, e)
		}
		for n, p := range protocols {
			g.speak(t, p, rand.New(rand.NewPCG(12, uint64(n))), ears)
		}
	})
}

// speak publishes by one protocol and looks at what all hear.
func (g *target) speak(t *testing.T, p string, r *rand.Rand, ears []*ear) {
	t.Helper()
	version := ""
	if p == "mqtt3" {
		version = "3.1.1"
	}
	can := dial.Abilities(strings.TrimSuffix(p, "3"), version)
	before := g.Metrics()
	var c dial.Conn
	send := func(m dial.Message) error {
		ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
		defer cancel()
		var err error
		if c == nil {
			if c, err = g.Dial(p, "", "", "mouth-"+p, nil); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
		}
		if err = dial.Send(ctx, c, m); err != nil { // it may have ended with that
			_ = c.Close(ctx)
			c = nil
		}
		return err
	}
	taken := map[string]dial.Message{}
	var order []string
	refused := 0
	for i := range size(60, 3000) {
		m := dial.Message{Topic: "fz/x" + strings.NewReplacer("#", "", "+", "").Replace(fuzzed(r, 4)), Payload: fmt.Appendf(nil, "%s-%d", p, i), QoS: 1}
		if p == "mqttsn" { // its client asks again and again for what is refused; the rows do that
			m.Topic = printable(m.Topic)
		}
		if can.Headers {
			m.Headers = []dial.Header{{Name: []string{"reply", "cid", "x-" + plain(r, 2), "x-" + plain(r, 2)}[r.IntN(4)], Value: plain(r, 4)}}
		}
		if can.ContentType {
			m.ContentType = []string{"", "text/plain", "text/" + plain(r, 2)}[r.IntN(3)]
		}
		if can.ReplyTo && r.IntN(2) == 0 {
			m.ReplyTo = "fz/reply" + plain(r, 2)
		}
		if can.Correlation && r.IntN(2) == 0 {
			m.Correlation = []byte(fuzzed(r, 2))
		}
		if err := send(m); err != nil {
			refused++
			continue
		}
		if p != "mqtt3" && strings.ContainsFunc(m.Topic, control) {
			t.Errorf("%s: the topic %q is taken", p, m.Topic)
		}
		taken[string(m.Payload)], order = m, append(order, string(m.Payload))
	}
	end := "end-" + p
	if err := send(dial.Message{Topic: "fz/end", Payload: []byte(end), QoS: 1}); err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	heard := make([][]dial.Message, len(ears))
	for i, e := range ears {
		if err := rig.Until(e.protocol+" hears the end", func() bool { heard[i] = e.take(end, len(order)); return heard[i] != nil }); err != nil {
			e.mu.Lock()
			t.Errorf("from %s: %v; it heard %d of %d messages", p, err, len(e.got), len(order))
			for i, m := range e.got {
				if want := taken[order[min(i, len(order)-1)]]; string(m.Payload) != string(want.Payload) {
					t.Errorf("the first it did not hear: %#v", want)
					break
				}
			}
			e.mu.Unlock()
			t.FailNow()
		}
	}
	after := g.Metrics()
	for i, e := range ears {
		lost := compare(t, p, e.protocol, taken, order, heard[i])
		from, to := strings.TrimSuffix(p, "3"), e.protocol
		what := "mapping_dropped " + from + " " + to
		counted := after.Sum(what) - before.Sum(what) + after.Sum("translations "+from+" "+to+" dropped") - before.Sum("translations "+from+" "+to+" dropped")
		if float64(lost) > counted {
			t.Errorf("%s to %s: %d messages lost something, and %v was counted", p, e.protocol, lost, counted)
		}
	}
	t.Logf("%s: %d taken, %d refused", p, len(taken), refused)
	if len(taken) == 0 {
		t.Errorf("%s: only %d of %d were taken", p, len(taken), len(taken)+refused)
	}
}

// compare tells how many messages lost something; what is other than it was sent is an error.
func compare(t *testing.T, from, to string, taken map[string]dial.Message, order []string, heard []dial.Message) (lost int) {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range heard {
		was, ok := taken[string(m.Payload)]
		if !ok {
			t.Errorf("%s to %s: a message that nobody sent: %q %q", from, to, m.Topic, m.Payload)
			continue
		}
		if seen[string(m.Payload)] {
			t.Errorf("%s to %s: %q came twice", from, to, m.Payload)
		}
		seen[string(m.Payload)] = true
		less := false
		for _, x := range []struct{ field, was, is string }{
			{"topic", was.Topic, m.Topic}, {"content type", was.ContentType, m.ContentType}, {"reply topic", was.ReplyTo, m.ReplyTo}, {"correlation", string(was.Correlation), string(m.Correlation)},
		} {
			switch {
			case x.is == x.was, x.field == "content type" && x.was == "text/plain" && x.is == "text/plain;charset=utf-8": // the same, by its number
			case x.is == "" && x.field != "topic":
				less = true
			default:
				t.Errorf("%s to %s: %s %q arrives as %q", from, to, x.field, x.was, x.is)
			}
		}
		for _, h := range was.Headers {
			if !slices.ContainsFunc(m.Headers, func(is dial.Header) bool { return is.Name == h.Name }) {
				less = true
			}
		}
		for _, is := range m.Headers {
			if strings.Contains(is.Name, "injected") && !strings.Contains(was.Headers[0].Name, "injected") {
				t.Errorf("%s to %s: a header %q of a value %q", from, to, is.Name, was.Headers)
			}
			for _, h := range was.Headers {
				if h.Name == is.Name && h.Value != is.Value {
					t.Errorf("%s to %s: header %q: %q arrives as %q", from, to, h.Name, h.Value, is.Value)
				}
			}
		}
		if less {
			lost++
		}
	}
	for _, payload := range order {
		if !seen[payload] {
			lost++
		}
	}
	return lost
}
