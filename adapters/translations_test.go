package adapters

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/entrepot/entrepot/core"
)

func translated(m *Metrics) string {
	var all []string
	m.Translations(func(from, to string, r Translation, n uint64) {
		all = append(all, fmt.Sprint(from, ">", to, " ", r, " ", n))
	})
	return strings.Join(all, ", ")
}

func TestTranslationsAreCountedByPairAndResultOverAllLoops(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	if got := translated(m); got != "" {
		t.Error(got)
	}
	coap, mqtt := m.Translator("coap"), m.Translator("mqtt")
	from := func(origin string) *core.Message { return &core.Message{Origin: origin} }
	var loops sync.WaitGroup
	for range 4 {
		loops.Go(func() {
			var out Output
			for range 1000 {
				coap.Count(&out, from("mqtt"), Whole)
				coap.Count(&out, from("mqtt"), Outcome(true))
				mqtt.Count(&out, from("stomp"), Untranslated)
				mqtt.Count(&out, from("mqtt"), Whole) // none
				mqtt.Count(&out, from(""), Outcome(false))
			}
			translated(m) // a scrape meanwhile
		})
	}
	loops.Wait()
	if got, want := translated(m), "other>mqtt ok 4000, mqtt>coap ok 4000, mqtt>coap lossy 4000, stomp>mqtt dropped 4000"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A loop has its counters once, however often its output is emptied.
func TestTheCountersOfALoopStayWithItsOutput(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	to := m.Translator("mqtt")
	var out Output
	for range 100 {
		to.Count(&out, &core.Message{Origin: "stomp"}, Whole)
		out.Reset()
	}
	if got := translated(m); got != "stomp>mqtt ok 100" || len(m.translations) != 1 {
		t.Errorf("%s, in %d sets of counters", got, len(m.translations))
	}
}

func TestProtocolsBeyondThoseThatAreToldApartAreOther(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	to := m.Translator("mqtt")
	var out Output
	for i := range 20 {
		to.Count(&out, &core.Message{Origin: fmt.Sprint("p", i)}, Whole)
	}
	if got, want := translated(m), "other>mqtt ok 14, p0>mqtt ok 1, p1>mqtt ok 1, p2>mqtt ok 1, p3>mqtt ok 1, p4>mqtt ok 1, p5>mqtt ok 1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What a delivery pays: of its own protocol, and of another.
func BenchmarkTranslations(b *testing.B) {
	m := NewMetrics()
	for _, name := range []string{"amqp", "coap", "mqtt", "mqttsn", "stomp"} {
		m.Translator(name)
	}
	to := m.Translator("mqtt")
	for _, origin := range []string{"mqtt", "stomp"} {
		b.Run(origin, func(b *testing.B) {
			var out Output
			msg := &core.Message{Origin: strings.Clone(origin)} // as it is read from the store
			b.ReportAllocs()
			for b.Loop() {
				to.Count(&out, msg, Whole)
			}
		})
	}
}
