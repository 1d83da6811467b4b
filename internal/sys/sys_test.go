package sys

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
)

var protocols = []string{"mqtt", "mqttsn", "coap", "stomp", "amqp"}

// world is a router with a publisher and one reader, in virtual time.
type world struct {
	t       *testing.T
	router  *core.Router
	metrics *adapters.Metrics
	events  *Events
	turn    *core.Turn
	reader  *reader
	stop    func()
}

// reader is a session that takes what it is given.
type reader struct {
	*core.Session
	w *world
}

func (*reader) Ready(*core.Turn)  {}
func (*reader) Evict(core.Reason) {}

// simulate runs fn with a publisher that ticks every ten seconds.
func simulate(t *testing.T, interval time.Duration, events bool, fn func(w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, metrics: adapters.NewMetrics()}
		o := core.Options{Store: memory.New()}
		if events {
			w.events = NewEvents("n/1", w.metrics)
			o.Observer = w.events
		}
		var err error
		if w.router, err = core.New(o); err != nil {
			t.Fatal(err)
		}
		defer w.router.Close()
		w.turn = w.router.NewTurn(nil)
		p := New(Options{Router: w.router, Metrics: w.metrics, Protocols: protocols, Version: "1.2.3", Interval: interval, Events: w.events})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			p.Run(ctx)
			close(ended)
		}()
		w.stop = func() {
			cancel()
			<-ended
		}
		defer w.stop()
		synctest.Wait()
		fn(w)
		w.end()
	})
}

func (w *world) end() {
	w.turn.End()
	synctest.Wait()
	w.turn.Begin()
}

func (w *world) pass(d time.Duration) {
	w.turn.End()
	time.Sleep(d)
	synctest.Wait()
	w.turn.Begin()
}

func (w *world) attach(c core.Client) *reader {
	w.t.Helper()
	r := &reader{w: w}
	s, reason := w.router.Attach(w.turn, c, r)
	if reason != core.OK {
		w.t.Fatal(reason)
	}
	r.Session = s
	w.end()
	return r
}

func (r *reader) subscribe(filter string) {
	r.w.t.Helper()
	grants, _, _ := r.Subscribe(r.w.turn, []core.Subscription{{Filter: filter}}, nil)
	if grants[0].Reason != core.OK {
		r.w.t.Fatal(grants[0].Reason)
	}
	r.w.end()
}

// take is what has come since the last call, by topic; a retained flag is noted in the second map.
func (r *reader) take() (all map[string]string, retained map[string]bool) {
	r.w.t.Helper()
	all, retained = map[string]string{}, map[string]bool{}
	for c := r.NextReady(); c != nil; c = r.NextReady() {
		for got := c.Take(r.w.turn, make([]core.Delivery, 0, 64), 64); len(got) > 0; got = c.Take(r.w.turn, got[:0], 64) {
			for _, d := range got {
				if d.QoS != 0 || d.Message.QoS != 0 {
					r.w.t.Errorf("%s has QoS %d", d.Message.Topic, d.QoS)
				}
				all[d.Message.Topic], retained[d.Message.Topic] = string(d.Message.Payload), d.Retain
			}
		}
	}
	r.w.end()
	return all, retained
}

func (r *reader) expect(want map[string]string) {
	r.w.t.Helper()
	got, _ := r.take()
	for name, value := range want {
		if got[name] != value {
			r.w.t.Errorf("%s is %q, not %q", name, got[name], value)
		}
	}
}

func TestY1_ValuesAreRetainedAndTellOnlyWhatHasChanged(t *testing.T) {
	simulate(t, 10*time.Second, false, func(w *world) {
		r := w.attach(core.Client{ID: "r"})
		r.subscribe("$SYS/#")
		all, retained := r.take()
		if len(all) != len(documented(t)) {
			t.Errorf("%d topics at once", len(all))
		}
		for name := range all {
			if !retained[name] {
				t.Errorf("%s is not retained", name)
			}
		}
		w.pass(9 * time.Second)
		if all, _ := r.take(); len(all) != 0 {
			t.Errorf("before the tick: %v", all)
		}
		w.pass(time.Second)
		w.pass(10 * time.Second)
		first, retained := r.take()
		if first["$SYS/broker/uptime"] != "20 seconds" || retained["$SYS/broker/uptime"] {
			t.Errorf("%v", first)
		}
		for _, name := range []string{"version", "clients/total", "messages/sent", "load/sockets/1min", "entrepot/coap/bytes/sent"} {
			if v, told := first["$SYS/broker/"+name]; told {
				t.Errorf("%s was told again: %s", name, v)
			}
		}
		other := w.attach(core.Client{ID: "o"})
		for _, f := range []string{"#", "+/#", "+/broker/#"} {
			other.subscribe(f)
		}
		w.pass(10 * time.Second)
		if all, _ := other.take(); len(all) != 0 { // [MQTT-4.7.2-1]
			t.Errorf("a leading wildcard shows %v", all)
		}
		for _, name := range []string{"$SYS", "$SYS/broker/uptime", "$SYS/brokers/n/clients/c/connected"} {
			if _, reason := other.Route(w.turn, []byte(name)); reason != core.NotAuthorized {
				t.Errorf("a client may publish to %s: %v", name, reason)
			}
		}
	})
}

func TestY1_NoIntervalPublishesNothing(t *testing.T) {
	simulate(t, 0, false, func(w *world) {
		w.pass(time.Hour)
		if n := w.router.Stats(); len(n.Namespaces) != 0 {
			t.Errorf("%+v", n)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	simulate(t, 10*time.Second, true, func(w *world) {
		w.stop()
		r := w.attach(core.Client{ID: "r"})
		r.subscribe("$SYS/broker/uptime")
		w.pass(time.Hour)
		r.expect(map[string]string{"$SYS/broker/uptime": "0 seconds"})
	})
}

// busy counts as loops and rooms do.
func (w *world) busy() {
	count := func(v uint64, name string, labels ...string) { w.metrics.Counter(name, labels...).Add(v) }
	count(3, "connections", "mqtt", "a", "unauth")
	count(5, "connections", "mqtt", "a", "auth")
	count(2, "connections", "coap", "u", "auth")
	count(9, "connects_total", "mqtt", "accepted", "")
	count(4, "connects_total", "coap", "accepted", "")
	count(8, "connects_total", "mqtt", "refused", "rate")
	count(7, "logins_total", "mqtt")
	count(1000, "bytes_total", "mqtt", "in")
	count(2000, "bytes_total", "stomp", "out")
	count(70, "write_waiting_bytes", "amqp")
	count(30, "datagrams_total", "coap", "in")
	count(31, "datagrams_total", "mqttsn", "in") // not counted twice
	count(40, "mqtt_packets_total", "in", "PUBLISH")
	count(2, "mqtt_packets_total", "in", "CONNECT")
	count(3, "mqtt_packets_total", "out", "PINGRESP")
	count(5, "mqttsn_packets_total", "in", "PUBLISH")
	count(6, "stomp_frames_total", "SEND", "in")
	count(7, "amqp_frames_total", "in")
	count(8, "amqp_frames_total", "out")
	count(2, "messages_dropped_total", "mqtt", "rate")
	count(50, "messages_dropped_total", "mqtt", "no_subscriber")
	w.carried("mqtt", adapters.In, 1, 64)
	w.carried("stomp", adapters.In, 0, 36)
	w.carried("stomp", adapters.Out, 2, 10)
}

// carried counts one message with a payload of n bytes.
func (w *world) carried(protocol string, dir, qos int, n uint64) {
	c := w.metrics.Traffic(protocol)
	c.Messages[dir][qos].Add(1)
	c.Bytes[dir][qos].Add(n)
}

func TestY2_Y3_CountsAreOverAllProtocols(t *testing.T) {
	simulate(t, 10*time.Second, false, func(w *world) {
		w.busy()
		away := w.attach(core.Client{ID: "away", Expiry: 25 * time.Second})
		away.subscribe("kept")
		away.Detach(w.turn, core.Normal)
		shared := w.attach(core.Client{ID: "s"})
		shared.subscribe("$share/g/f")
		mt, _ := shared.Route(w.turn, []byte("kept"))
		m := core.NewMessage([]byte("v"))
		m.Topic, m.Retain, m.QoS = "kept", true, 1
		shared.Publish(w.turn, mt, m)
		size := m.Size()
		r := w.attach(core.Client{ID: "r"})
		r.subscribe("$SYS/broker/#")
		r.take()
		w.pass(10 * time.Second)
		topics := len(documented(t))
		want := map[string]string{
			"clients/total": "8", "clients/connected": "7", "clients/active": "7", "clients/disconnected": "1", "clients/inactive": "1",
			"clients/maximum": "7", "connections/socket/count": "8", "messages/received": fmt.Sprint(42 + 5 + 6 + 7 + 30), "messages/sent": "11",
			"messages/stored": "1", "store/messages/count": "1", "store/messages/bytes": fmt.Sprint(size),
			"packet/out/bytes": "70", "bytes/received": "1000", "bytes/sent": "2000",
			"publish/messages/received": "2", "publish/messages/sent": "1", "publish/messages/dropped": "2", "publish/bytes/received": "100",
			"publish/bytes/sent": "10", "retained messages/count": strconv.Itoa(topics + 1), "subscriptions/count": "2", "shared_subscriptions/count": "1",
			"mqtt/publish/received": "40", "mqtt/connect/received": "2", "mqtt/pingresp/sent": "3",
			"entrepot/mqtt/clients/connected": "5", "entrepot/mqtt/messages/received": "42", "entrepot/mqtt/publish/bytes/received": "64",
			"entrepot/coap/messages/received": "30", "entrepot/mqttsn/messages/received": "5", "entrepot/amqp/messages/sent": "8",
			"entrepot/stomp/bytes/sent": "2000", "entrepot/stomp/publish/messages/sent": "1",
		}
		got, _ := r.take()
		for name, value := range want {
			if got["$SYS/broker/"+name] != value {
				t.Errorf("%s is %q, not %q", name, got["$SYS/broker/"+name], value)
			}
		}
		w.metrics.Counter("connections", "mqtt", "a", "auth").Add(^uint64(3)) // four have gone
		w.pass(20 * time.Second)
		r.expect(map[string]string{
			"$SYS/broker/clients/connected": "3", "$SYS/broker/clients/expired": "1", "$SYS/broker/clients/disconnected": "0", "$SYS/broker/clients/total": "3",
		})
		late := w.attach(core.Client{ID: "late"})
		late.subscribe("$SYS/broker/clients/maximum")
		late.expect(map[string]string{"$SYS/broker/clients/maximum": "7"})
	})
}

func TestY4_TheFormsAreThoseOfMosquitto(t *testing.T) {
	simulate(t, 10*time.Second, false, func(w *world) {
		w.pass(70 * time.Second)
		r := w.attach(core.Client{ID: "r"})
		r.subscribe("$SYS/#")
		all, _ := r.take()
		if all["$SYS/broker/version"] != "entrepot version 1.2.3" || all["$SYS/broker/uptime"] != "70 seconds" || all["$SYS/broker/entrepot/overload"] != "0" {
			t.Errorf("%v", all)
		}
		number, load := regexp.MustCompile(`^\d+$`), regexp.MustCompile(`^\d+\.\d\d$`)
		for name, v := range all {
			form := number
			switch {
			case strings.HasPrefix(name, "$SYS/broker/load/"):
				form = load
			case strings.HasSuffix(name, "/version"), strings.HasSuffix(name, "/uptime"):
				continue
			}
			if !form.MatchString(v) {
				t.Errorf("%s is %q", name, v)
			}
		}
		if n, err := strconv.Atoi(all["$SYS/broker/heap/current"]); err != nil || n < 10_000 {
			t.Errorf("heap/current is %q", all["$SYS/broker/heap/current"])
		}
	})
}

func TestY4_LoadsAreDampedExponentially(t *testing.T) {
	simulate(t, 10*time.Second, false, func(w *world) {
		r := w.attach(core.Client{ID: "r"})
		r.subscribe("$SYS/broker/load/sockets/+")
		r.take()
		c := w.metrics.Counter("connects_total", "mqtt", "accepted", "")
		var average [3]float64
		told := map[string]string{}
		for _, n := range []uint64{10, 0, 3, 0, 0, 0, 120} {
			c.Add(n)
			w.pass(10 * time.Second)
			got, _ := r.take()
			maps.Copy(told, got)
			for i, minutes := range []float64{1, 5, 15} {
				// what is not new keeps e^(-10s/window) of its weight
				keep := math.Exp(-1 / (6 * minutes))
				average[i] = average[i]*keep + float64(n)*6*(1-keep)
				name, want := fmt.Sprintf("$SYS/broker/load/sockets/%.0fmin", minutes), fmt.Sprintf("%.2f", average[i])
				if told[name] != want {
					t.Errorf("%s is %s, not %s", name, told[name], want)
				}
			}
		}
	})
}

// documented are the topics that docs/sys.md lists.
func documented(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/sys.md")
	if err != nil {
		t.Fatal(err)
	}
	page, _, _ := strings.Cut(string(text), "## Events")
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(page, -1) {
		names := []string{m[1]}
		if before, rest, ok := strings.Cut(m[1], "{"); ok {
			choices, after, _ := strings.Cut(rest, "}")
			names = nil
			for _, x := range strings.Split(choices, ",") {
				names = append(names, before+x+after)
			}
		}
		for _, n := range names {
			if !strings.Contains(n, "PROTOCOL") {
				all = append(all, "$SYS/broker/"+n)
				continue
			}
			for _, p := range protocols {
				all = append(all, "$SYS/broker/"+strings.Replace(n, "PROTOCOL", p, 1))
			}
		}
	}
	return all
}

func TestThePageListsEveryTopicAndNoOther(t *testing.T) {
	simulate(t, 10*time.Second, false, func(w *world) {
		r := w.attach(core.Client{ID: "r"})
		r.subscribe("$SYS/#")
		told, _ := r.take()
		listed := documented(t)
		if len(listed) < 100 {
			t.Errorf("only %d topics are listed", len(listed))
		}
		for _, name := range listed {
			if _, ok := told[name]; !ok {
				t.Errorf("%s is listed, but not published", name)
			}
		}
		for name := range told {
			if !slices.Contains(listed, name) {
				t.Errorf("%s is published, but not listed", name)
			}
		}
	})
}

func TestY6_TheLevelOfOverloadIsANumber(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		pressure core.Pressure
		want     string
	}{
		{core.Pressure{}, "0"}, {core.Pressure{Level: core.LevelShed}, "1"}, {core.Pressure{Level: core.LevelBrake, DiskFull: true}, "2"},
		{core.Pressure{Level: core.LevelRefuse}, "3"}, {core.Pressure{DiskFull: true}, "1"},
	} {
		if got := overloaded(&snapshot{pressure: x.pressure}); got != x.want {
			t.Errorf("%+v is %s, want %s", x.pressure, got, x.want)
		}
	}
}
