package sys

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

func TestY5_EventsTellWhatBecameOfAClient(t *testing.T) {
	simulate(t, 0, true, func(w *world) {
		r := w.attach(core.Client{ID: "r"})
		r.subscribe("$SYS/brokers/+/clients/#")
		r.take()
		at := w.turn.Now
		c := w.attach(core.Client{ID: "a/b+", Protocol: "mqtt", Addr: "[::1]:99", Clean: true, Expiry: time.Minute})
		c.subscribe("x/#")
		c.Unsubscribe(w.turn, []string{"x/#"}, nil)
		c.Detach(w.turn, core.Normal)
		w.end()
		got, retained := r.take()
		common := `"clientid":"a/b+","username":"anonymous","protocol":"mqtt","ipaddress":"::1","ts":` + fmt.Sprint(int64(at))
		for word, want := range map[string]string{
			"connected":    fmt.Sprintf(`,"connected_at":%d,"clean_start":true,"expiry_interval":60`, at),
			"subscribed":   `,"topic":"x/#","subopts":{"qos":0,"nl":0,"rap":0,"rh":0}`,
			"unsubscribed": `,"topic":"x/#"`,
			"disconnected": fmt.Sprintf(`,"disconnected_at":%d,"reason":%q`, at, core.Normal.String()),
		} {
			name := "$SYS/brokers/n%2F1/clients/a%2Fb%2B/" + word
			if got[name] != "{"+common+want+"}" || retained[name] || !json.Valid([]byte(got[name])) {
				t.Errorf("%s is %s", name, got[name])
			}
		}
		if len(got) != 4 {
			t.Errorf("%v", got)
		}
		late := w.attach(core.Client{ID: "late"})
		w.end()
		late.subscribe("$SYS/brokers/+/clients/+/connected")
		if all, _ := late.take(); len(all) != 0 {
			t.Errorf("an event is retained: %v", all)
		}
	})
}

func TestY5_EventsAreDroppedAndCountedRatherThanWaitedFor(t *testing.T) {
	t.Parallel()
	m := adapters.NewMetrics()
	e := NewEvents("n", m)
	c := &core.Client{ID: "c", Principal: core.Anonymous}
	for range queued + 3 {
		e.Observe(core.Event{Client: c})
	}
	if n := m.Counter("sys_events_dropped_total").Load(); n != 3 || len(e.queue) != queued {
		t.Errorf("%d were dropped, %d wait", n, len(e.queue))
	}
}

func TestY5_AnIdentifierThatFitsNoTopicIsLeftOut(t *testing.T) {
	simulate(t, 0, true, func(w *world) {
		r := w.attach(core.Client{ID: "r"})
		r.subscribe("$SYS/#")
		r.take()
		w.attach(core.Client{ID: strings.Repeat("#", 30_000)})
		w.end()
		if all, _ := r.take(); len(all) != 0 {
			t.Errorf("%d", len(all))
		}
		if n := w.metrics.Counter("sys_events_dropped_total").Load(); n != 1 {
			t.Error(n)
		}
	})
}
