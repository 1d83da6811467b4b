package gateway

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/overload"
)

// gauge is a meter that tells what it was told.
type gauge struct {
	mu sync.Mutex
	r  overload.Reading
}

func newGauge() *gauge {
	return &gauge{r: overload.Reading{MemoryLimit: 100, DiskFree: 50 << 30, DiskTotal: 100 << 30, Descriptors: overload.Unknown}}
}

func (g *gauge) Read() overload.Reading {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.r
}

// become changes the reading and waits until the router knows.
func (g *gauge) become(t *testing.T, gw *Gateway, change func(r *overload.Reading), want core.Pressure) {
	t.Helper()
	g.mu.Lock()
	change(&g.r)
	g.mu.Unlock()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); gw.router.Pressure() != want; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("pressure %+v", gw.router.Pressure())
		}
	}
	if !gw.server.Responsive(t.Context()) { // every loop has begun a turn since
		t.Fatal("a loop does not answer")
	}
}

// metered runs a gateway with a meter of its own.
func metered(t *testing.T, urls ...string) (*Gateway, *gauge) {
	t.Helper()
	m := newGauge()
	return meteredBy(t, m, urls...), m
}

func meteredBy(t *testing.T, m overload.Meter, urls ...string) *Gateway {
	t.Helper()
	in := config.Input{Listen: urls, Set: []string{"node.data=memory"}, Sections: Sections(), Protocols: Protocols()}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(Options{Config: c, Sections: in.Sections, Version: "1", Commit: "c", Meter: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running(t, g))
	return g
}

// wire is a raw connection of the test.
type wire struct {
	t *testing.T
	net.Conn
}

func dialTo(t *testing.T, g *Gateway, i int) *wire {
	t.Helper()
	u, err := url.Parse(g.Listening()[i].URL)
	if err != nil {
		t.Fatal(err)
	}
	network := "tcp"
	if u.Scheme == "coap" || u.Scheme == "mqttsn" {
		network = "udp"
	}
	c, err := net.Dial(network, u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{t, c}
}

func (w *wire) send(b string) {
	w.t.Helper()
	if _, err := io.WriteString(w, b); err != nil {
		w.t.Fatal(err)
	}
}

// want reads until what has come begins with the bytes, or holds the text.
func (w *wire) want(what, begin string) []byte {
	w.t.Helper()
	var all []byte
	buf := make([]byte, 4096)
	for !strings.Contains(string(all), begin) {
		n, err := w.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			w.t.Fatalf("%s: % x (%q), %v; want % x", what, all, all, err, begin)
		}
	}
	return all
}

const (
	connect5   = "\x10\x0f\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x02"
	connect3   = "\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02"
	subscribe5 = "\x82\x07\x00\x01\x00\x00\x01a\x01"
	publish5   = "\x32\x07\x00\x01a\x00\x07\x00x" // topic a, QoS 1, identifier 7
	publish0   = "\x30\x05\x00\x01a\x00y"
	putA       = "\x40\x03\x00\x07\xb2ps\x01a\xffx" // CON PUT /ps/a
	stompHello = "CONNECT\naccept-version:1.2\nhost:/\n\n\x00"
)

func TestSecurity_O4_EveryProtocolIsToldInItsOwnWords(t *testing.T) {
	t.Parallel()
	g, m := metered(t, "mqtt://127.0.0.1:0", "coap://127.0.0.1:0", "stomp://127.0.0.1:0", "mqttsn://127.0.0.1:0", "http://127.0.0.1:0")
	old := dialTo(t, g, 0)
	old.send(connect5 + "c5")
	old.want("CONNACK", "\x00\x00")
	old.send(subscribe5)
	old.want("SUBACK", "\x90\x04\x00\x01\x00\x01")
	m.become(t, g, func(r *overload.Reading) { r.Memory = 95 }, core.Pressure{Level: core.LevelRefuse})

	old.send(publish5)
	old.want("PUBACK 0x97", "\x40\x0b\x00\x07\x97")
	old.send("\x82\x07\x00\x02\x00\x00\x01b\x01")
	old.want("SUBACK 0x97", "\x00\x02\x07\x1f\x00\x04busy\x97")
	old.send(publish0)
	old.want("QoS 0 goes on", "y")
	late := dialTo(t, g, 0)
	late.send(connect5 + "n5")
	late.want("CONNACK 0x89", "\x00\x89")
	three := dialTo(t, g, 0)
	three.send(connect3 + "n3")
	three.want("CONNACK 3", "\x20\x02\x00\x03")
	stomp := dialTo(t, g, 2)
	stomp.send(stompHello)
	if b := stomp.want("ERROR", "busy"); !bytes.HasPrefix(b, []byte("ERROR")) {
		t.Errorf("%q", b)
	}
	coap := dialTo(t, g, 1)
	coap.send(putA)
	coap.want("5.03", "\xa3\x00\x07")
	sn := dialTo(t, g, 3)
	sn.send("\x08\x04\x04\x01\x00\x3csn")
	sn.want("CONNACK 01", "\x03\x05\x01")

	began := time.Now()
	code, body := get(t, g.Listening()[4].URL+"/readyz")
	if code != 200 || !strings.Contains(body, "overload refuse") || time.Since(began) > 10*time.Second {
		t.Errorf("readyz: %d %q after %v", code, body, time.Since(began))
	}
	_, body = get(t, g.Listening()[4].URL+"/metrics")
	for _, line := range []string{`entrepot_overload_state{resource="memory"} 3`, "entrepot_memory_limit_bytes 100", "entrepot_disk_free_bytes 5.36"} {
		if !strings.Contains(body, line) {
			t.Errorf("no %q", line)
		}
	}
	m.become(t, g, func(r *overload.Reading) { r.Memory = 1 }, core.Pressure{})
	again := dialTo(t, g, 0)
	again.send(connect5 + "n5")
	again.want("CONNACK", "\x00\x00")
	again.send(publish5)
	again.want("PUBACK", "\x40\x02\x00\x07")
}

func TestSecurity_O6_ADiskThatIsFullIsNamedAndLeavesByItself(t *testing.T) {
	t.Parallel()
	g, m := metered(t, "mqtt://127.0.0.1:0", "http://127.0.0.1:0")
	c := dialTo(t, g, 0)
	c.send(connect5 + "c5")
	c.want("CONNACK", "\x00\x00")
	c.send(subscribe5)
	c.want("SUBACK", "\x90\x04\x00\x01\x00\x01")
	m.become(t, g, func(r *overload.Reading) { r.DiskFree = 1 }, core.Pressure{DiskFull: true})
	c.send(publish5)
	c.want("PUBACK 0x97", "\x97\x0c\x1f\x00\x09disk full")
	c.send(publish0)
	c.want("QoS 0 goes on", "y")
	if code, body := get(t, g.Listening()[1].URL+"/readyz"); code != 200 || !strings.Contains(body, "disk full") {
		t.Errorf("readyz: %d %q", code, body)
	}
	m.become(t, g, func(r *overload.Reading) { r.DiskFree = 50 << 30 }, core.Pressure{})
	c.send(publish5)
	c.want("the message", "x")
}

// Every protocol counts what it refuses by the same reason, once.
func TestRefusalsOfAFullDiskAreCountedInEveryProtocol(t *testing.T) {
	t.Parallel()
	g, m := metered(t, "mqtt://127.0.0.1:0", "coap://127.0.0.1:0", "stomp://127.0.0.1:0", "mqttsn://127.0.0.1:0", "amqp://127.0.0.1:0")
	five, three, coap, stomp, sn, rabbit := dialTo(t, g, 0), dialTo(t, g, 0), dialTo(t, g, 1), dialTo(t, g, 2), dialTo(t, g, 3), dialTo(t, g, 4)
	five.send(connect5 + "c5")
	five.want("CONNACK", "\x00\x00")
	five.send("\x82\x07\x00\x01\x00\x00\x01#\x01") // what nobody gets is not refused
	five.want("SUBACK", "\x90\x04\x00\x01\x00\x01")
	three.send(connect3 + "c3")
	three.want("CONNACK", "\x20\x02\x00\x00")
	stomp.send(stompHello)
	stomp.want("CONNECTED", "CONNECTED")
	sn.send("\x08\x04\x04\x01\x00\x3csn")
	sn.want("CONNACK", "\x03\x05\x00")
	rabbit.send(amqp.ProtocolHeader)
	rabbit.want("start", "PLAIN")
	rabbit.send(string(amqp.AppendMethodFrame(nil, 0, &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"})))
	rabbit.want("tune", "\xce")
	in := amqp.AppendMethodFrame(nil, 0, &amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072})
	rabbit.send(string(amqp.AppendMethodFrame(in, 0, &amqp.ConnectionOpen{VirtualHost: "/"})))
	rabbit.want("open-ok", "\xce")
	rabbit.send(string(amqp.AppendMethodFrame(nil, 1, &amqp.ChannelOpen{})))
	rabbit.want("channel open-ok", "\xce")
	m.become(t, g, func(r *overload.Reading) { r.DiskFree = 1 }, core.Pressure{DiskFull: true})

	five.send(publish5)
	five.want("PUBACK 0x97", "\x97\x0c\x1f\x00\x09disk full")
	three.send("\x32\x06\x00\x01a\x00\x07x") // no answer
	coap.send(putA)
	coap.want("5.03", "\xa3\x00\x07")
	coap.send(putA) // a repetition: it is not executed
	coap.want("5.03", "\xa3\x00\x07")
	coap.send("\x50\x03\x00\x08\xb2ps\x01a\xffx") // NON
	coap.want("5.03", "\x50\xa3")
	coap.send("\x40\x01\x00\x09\xb2ps\x01a") // not there: no refusal
	coap.want("4.04", "\x84\x00\x09")
	stomp.send("SEND\ndestination:/topic/a\nreceipt:1\n\nx\x00")
	stomp.want("ERROR", "disk full")
	sn.send("\x08\x0c\x22ab\x00\x01x")
	sn.want("PUBACK 01", "\x07\x0dab\x00\x01\x01")
	rabbit.send(string(amqp.AppendMethodFrame(nil, 1, &amqp.QueueDeclare{Queue: "q", Durable: true})))
	rabbit.want("channel.close 406", "disk full")

	for protocol, want := range map[string]uint64{"mqtt": 2, "coap": 2, "stomp": 1, "mqttsn": 1, "amqp": 1} {
		n := g.metrics.Counter("refused_total", protocol, "disk full")
		eventually(t, func() bool { return n.Load() >= want })
		if n.Load() != want {
			t.Errorf("%s: %d refusals, want %d", protocol, n.Load(), want)
		}
	}
	for _, reason := range core.Reasons() {
		for _, protocol := range []string{"mqtt", "coap", "stomp", "mqttsn", "amqp"} {
			if n := g.metrics.Counter("refused_total", protocol, reason.String()).Load(); n != 0 && reason != core.DiskFull {
				t.Errorf("%s: %d %v", protocol, n, reason)
			}
		}
	}
}

func TestSecurity_O3_PublishersAreReadOnceASecondAndConsumersGoOn(t *testing.T) {
	t.Parallel()
	g, m := metered(t, "mqtt://127.0.0.1:0")
	reader, p := dialTo(t, g, 0), dialTo(t, g, 0)
	reader.send(connect5 + "r5")
	reader.want("CONNACK", "\x00\x00")
	reader.send(subscribe5)
	reader.want("SUBACK", "\x90\x04\x00\x01\x00\x01")
	p.send(connect5 + "p5")
	p.want("CONNACK", "\x00\x00")
	m.become(t, g, func(r *overload.Reading) { r.Memory = 85 }, core.Pressure{Level: core.LevelBrake})
	began := time.Now()
	for id := range 3 {
		p.send("\x32\x07\x00\x01a\x00" + string(rune(id+1)) + "\x00x")
	}
	p.want("the first", "\x40\x02\x00\x01")
	p.want("the third", "\x40\x02\x00\x03")
	if d := time.Since(began); d < 2*time.Second {
		t.Errorf("three publishes took %v", d)
	}
	for range 100 { // a consumer is read all the while
		reader.send("\xc0\x00")
	}
	reader.want("PINGRESP", strings.Repeat("\xd0\x00", 100))
	if n := g.metrics.Counter("reading_paused_total", "mqtt").Load(); n < 3 {
		t.Errorf("%d pauses", n)
	}
}

func TestSecurity_O2_O6_StepsAndReserveCanBeReloaded(t *testing.T) {
	t.Parallel()
	m := newGauge()
	m.r.Memory = 65
	listeners := "listeners: ['mqtt://127.0.0.1:0']\n"
	r := openFileBy(t, listeners, m)
	nothing := func(*overload.Reading) {}
	m.become(t, r.Gateway, nothing, core.Pressure{})
	r.reload(listeners+"limits: {overload: {memory: {shed: 50%, brake: 60%}}}\nstore: {reserve: 60GiB}\n", "")
	m.become(t, r.Gateway, nothing, core.Pressure{Level: core.LevelBrake, DiskFull: true})
	r.reload(listeners+"limits: {overload: {memory: {shed: 81%}}}\n", "shed, brake and refuse ascend")
	m.become(t, r.Gateway, nothing, core.Pressure{Level: core.LevelBrake, DiskFull: true})
	r.reload(listeners+"limits: {overload: {memory: false}}\n", "")
	m.become(t, r.Gateway, nothing, core.Pressure{})
}
