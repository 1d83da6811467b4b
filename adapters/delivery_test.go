package adapters_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
)

// timing is a session whose publishes are timed, a receiver that takes them, and what was told of that.
type timing struct {
	turn *core.Turn
	told []string
	from *core.Session
	to   *core.Session
	set  *adapters.Metrics
}

type nobody struct{}

func (nobody) Ready(*core.Turn)  {}
func (nobody) Evict(core.Reason) {}

func newTiming(t testing.TB) *timing {
	r, err := core.New(core.Options{Store: adaptertest.NewStore()})
	if err != nil {
		t.Fatal(err)
	}
	x := &timing{turn: r.NewTurn(nil), set: adapters.NewMetrics()}
	x.set.Deliveries(func(from, to string, took time.Duration) {
		if took <= 0 || took > time.Minute {
			t.Error("it took", took)
		}
		x.told = append(x.told, from+">"+to)
	})
	attach := func(id string) *core.Session {
		s, reason := r.Attach(x.turn, core.Client{ID: id, Principal: &core.Principal{}, Clean: true}, nobody{})
		if reason != core.OK {
			t.Fatal(reason)
		}
		return s
	}
	x.from, x.to = attach("from"), attach("to")
	x.to.Subscribe(x.turn, []core.Subscription{{Filter: "a", QoS: 1}}, make([]core.Grant, 0, 1))
	return x
}

// publish publishes one message and returns its delivery.
func (x *timing) publish(t testing.TB, origin string) core.Delivery {
	t.Helper()
	mt, reason := x.from.Route(x.turn, []byte("a"))
	if reason != core.OK {
		t.Fatal(reason)
	}
	m := core.NewMessage([]byte("x"))
	m.Topic, m.Origin, m.QoS = "a", origin, 1
	x.from.Publish(x.turn, mt, m)
	ds := x.to.Inbox().Take(x.turn, make([]core.Delivery, 0, 8), 8)
	if len(ds) != 1 {
		t.Fatal(ds)
	}
	return ds[0]
}

func TestDeliveriesAreToldWhenTheyAreWritten(t *testing.T) {
	t.Parallel()
	x := newTiming(t)
	coap := x.set.Translator("coap")
	x.set.Translator("mqtt")
	var out, early adapters.Output
	d := x.publish(t, "mqtt") // the first is timed
	coap.Sent(&out, &d, adapters.Whole)
	if x.told != nil {
		t.Error("told before it was written:", x.told)
	}
	out.Written(x.turn)
	out.Written(x.turn)
	if want := []string{"mqtt>coap"}; !slices.Equal(x.told, want) {
		t.Error(x.told)
	}
	again := d
	again.Attempt = 2
	coap.Sent(&out, &again, adapters.Whole)
	out.Written(x.turn)
	if len(x.told) != 1 {
		t.Error("a repetition was timed:", x.told)
	}
	out.Reset()
	early.B = append(early.B, 'x')
	coap.Sent(&early, &d, adapters.Whole)
	out.Early(&early)
	out.Join()
	early.Written(x.turn)
	if len(x.told) != 1 {
		t.Error("told twice")
	}
	out.Written(x.turn)
	if len(x.told) != 2 {
		t.Error("what was joined is not told:", x.told)
	}
	had := out.Mark()
	coap.Sent(&out, &d, adapters.Whole)
	out.Cut(had)
	out.Written(x.turn)
	coap.Sent(&out, &d, adapters.Whole)
	out.Reset()
	out.Written(x.turn)
	if len(x.told) != 2 {
		t.Error("what was cut off, or thrown away, is told:", x.told)
	}
}

func TestOriginsThatAreNoProtocolAreOther(t *testing.T) {
	t.Parallel()
	x := newTiming(t)
	coap := x.set.Translator("coap")
	var out adapters.Output
	d := x.publish(t, strings.Repeat("z", 300))
	for i := range 20 {
		x.set.Translator(fmt.Sprint("p", i))
	}
	coap.Sent(&out, &d, adapters.Whole)
	out.Written(x.turn)
	if want := []string{"other>coap"}; !slices.Equal(x.told, want) {
		t.Error(x.told)
	}
}

// What a delivery pays that is timed: it is one in a millisecond at most, or about one in 1024.
func BenchmarkTimedDelivery(b *testing.B) {
	x := newTiming(b)
	x.set.Deliveries(func(string, string, time.Duration) {})
	coap := x.set.Translator("coap")
	var out adapters.Output
	d := x.publish(b, "mqtt")
	b.ReportAllocs()
	for b.Loop() {
		coap.Sent(&out, &d, adapters.Whole)
		out.Written(x.turn)
	}
}
