package abuse

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/rig"
)

// TestSECURITY_K1_AnAddressThatProvedNothingGetsThreeTimesWhatItSent: as if the source were somebody else's.
func TestSECURITY_K1_AnAddressThatProvedNothingGetsThreeTimesWhatItSent(t *testing.T) {
	a := attack{set: []string{"coap.address_proof=on", "mqttsn.address_proof=on", "coap.list_topics=true", "limits.trusted=[]"}, except: []string{"coap", "mqttsn"}, moved: []string{"coap_echo_challenges"}}
	a.run(t, func(g *target) {
		big := strings.Repeat("x", 60_000)
		pub, err := g.Dial("mqtt", "", "", "k1", nil)
		if err != nil {
			t.Fatal(err)
		}
		keep := g.join("mqtt", "\x40\x03\x00\x01", hello5, publish5(3, "big", "\x00\x01", "", big))
		defer keep.leave()
		hello := sn(4, "\x04\x01\x00\x3ck1-sn")
		for _, r := range []struct {
			on, id string
			send   []string
			floods bool // something is published to it
		}{
			{on: "coap", id: "GET of a large value", send: one(co(0x41, 1, 1, "t"+options(11, "ps", 11, "big")))},
			{on: "coap", id: "the same with large blocks", send: many(20, func(i int) string { return co(0x51, 1, i, "t"+options(11, "ps", 11, "big", 23, octet(byte(i)<<4|6))) })},
			{on: "coap", id: "observe", send: many(20, func(i int) string { return co(0x52, 1, i, u16(i)+options(6, "", 11, "ps", 11, "k1")) }), floods: true},
			{on: "coap", id: "discovery", send: one(co(0x41, 1, 1, "t"+options(11, ".well-known", 11, "core")))},
			{on: "coap", id: "one byte", send: many(50, func(int) string { return "\x40" })},
			{on: "coap", id: "pings", send: many(50, func(i int) string { return co(0x40, 0, i, "") })},
			{on: "mqttsn", id: "search", send: many(50, func(int) string { return sn(1, "\x00") })},
			{on: "mqttsn", id: "one byte", send: many(50, func(int) string { return "\x02" })},
			{on: "mqttsn", id: "subscribe", send: append([]string{hello}, sn(0x12, "\x00\x00\x01k1"), sn(0x12, "\x00\x00\x02big")), floods: true},
			{on: "mqttsn", id: "no session", send: many(20, func(i int) string { return sn(0x16, "") })},
		} {
			c, err := datagrams(g.At[r.on])
			if err != nil {
				t.Fatal(err)
			}
			in, out := 0, 0
			for _, b := range r.send {
				in += len(b)
				if _, err := c.Write([]byte(b)); err != nil {
					t.Fatal(err)
				}
			}
			if r.floods {
				for range 20 {
					if err := rig.Publish(pub, "k1", strings.Repeat("x", 200)); err != nil {
						t.Fatal(err)
					}
				}
			}
			// What is still to come comes before what the healthy clients get now.
			c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			for buf := make([]byte, 64<<10); ; {
				n, err := c.Read(buf)
				if err != nil {
					break
				}
				out += n
			}
			c.Close()
			if out > 3*in {
				t.Errorf("%s: %s: %d bytes in, %d out", r.on, r.id, in, out)
			}
			if r.id == "one byte" && out > 0 {
				t.Errorf("%s: one byte is answered with %d", r.on, out)
			}
		}
	})
}

// TestSECURITY_K5_ManySourcesOneDatagramEach: what is kept for a source that said one thing.
func TestSECURITY_K5_ManySourcesOneDatagramEach(t *testing.T) {
	n := sockets(2000, 20_000)
	a := attack{held: int64(2*n) * 600, except: []string{"coap", "mqttsn"}, set: []string{"coap.address_proof=on", "mqttsn.address_proof=on", "limits.trusted=[]",
		"coap.rate_per_source=unlimited", "mqttsn.rate_per_source=unlimited", "limits.udp.peers_per_address=100000", "mqttsn.max_clients_per_source=100000"}}
	a.run(t, func(g *target) {
		before := rig.Measure()
		sent := 0
		// The message id is nobody else's: who comes by a port that the attack has used would be answered as a repetition.
		for on, say := range map[string]func(i int) string{
			"coap":   func(int) string { return co(0x41, 1, 0x4b35, "t"+options(11, "ps", 11, "k5")) },
			"mqttsn": func(i int) string { return sn(4, "\x04\x01\x00\x3ck5-"+fmt.Sprint(i)) },
		} {
			for i := range n {
				b := say(i)
				c, err := datagrams(g.At[on])
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Write([]byte(b)); err != nil {
					t.Fatal(err)
				}
				c.SetReadDeadline(time.Now().Add(rig.Patience))
				if _, err := c.Read(make([]byte, 100)); err != nil {
					t.Fatalf("%s: source %d: %v", on, sent, err)
				}
				c.Close()
				sent++
			}
		}
		held := rig.Measure().Heap - before.Heap
		t.Logf("%d sources hold %d bytes, %d each", sent, held, held/int64(sent))
		if held > int64(sent)*600+flat+rig.StoreHeap {
			t.Errorf("%d sources hold %d bytes, %d each", sent, held, held/int64(sent))
		}
	})
}

// TestSECURITY_K6_AKnownPeerTurnsHostile: a client that is connected floods, and is served no more than others.
func TestSECURITY_K6_AKnownPeerTurnsHostile(t *testing.T) {
	a := attack{set: []string{"limits.trusted=[]", "mqttsn.rate_per_client=100/s"}, moved: []string{"protocol_errors mqttsn rate_per_client"}, held: 8 << 20}
	a.run(t, func(g *target) {
		n := size(5000, 100_000)
		for on, x := range map[string]struct {
			hello string
			flood func(i int) string
		}{
			"mqttsn": {sn(4, "\x04\x01\x00\x3ck6"), func(int) string { return sn(0x0c, "\x02k6\x00\x00x") }},
			"coap":   {co(0x40, 0, 1, ""), func(i int) string { return co(0x50, 2, i, options(11, "ps", 11, "k6")+"\xffx") }},
		} {
			c := g.join(on, "", x.hello)
			for i := range n {
				if err := c.send(x.flood(i)); err != nil {
					t.Fatalf("%s: %v", on, err)
				}
			}
			c.leave()
		}
	})
}

// TestSECURITY_K3c_SleepersHoldWhatTheyMay: clients that sleep while their topic is flooded with messages of QoS 0 and 1 keep
// of each kind what its section allows, the newest.
func TestSECURITY_K3c_SleepersHoldWhatTheyMay(t *testing.T) {
	n := sockets(100, 5000)
	attack{set: []string{"mqttsn.queue=50", "mqttsn.queue_qos0=20", "limits.udp.peers_per_address=10000", "mqttsn.max_clients_per_source=10000"}, moved: []string{"messages_dropped queue_full", "limit_refused core queue", "limit_refused core queue_qos0"}, held: int64(n) * 64 << 10}.run(t, func(g *target) {
		var all []*patient
		for i := range n {
			c := g.join("mqttsn", "\x02\x18", sn(4, "\x04\x01\x00\x3ck3c-"+fmt.Sprint(i)), sn(0x12, "\x22\x00\x01zz"), sn(0x18, "\x00\x3c"))
			defer c.leave()
			all = append(all, c)
		}
		g.flood("zz", 300, 100)
		for _, i := range []int{0, n / 2, n - 1} {
			c := all[i]
			if err := c.send(sn(0x16, fmt.Sprint("k3c-", i))); err != nil {
				t.Fatal(err)
			}
			qos0, qos1 := c.wake(g)
			if want := numbers(280, 300); !slices.Equal(qos0, want) {
				t.Errorf("a sleeper has %v of QoS 0, want %v", qos0, want)
			}
			if want := numbers(250, 300); !slices.Equal(qos1, want) {
				t.Errorf("a sleeper has %v of QoS 1, want %v", qos1, want)
			}
		}
		for _, c := range all {
			if err := c.send(sn(0x18, "")); err != nil {
				t.Fatal(err)
			}
			if err := c.await("\x02\x18"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestSECURITY_K3c_L28_ASleeperAtTheDefaults: 100 messages of QoS 0 and 1000 of QoS 1 wait; what is beyond is counted, and
// logged once.
func TestSECURITY_K3c_L28_ASleeperAtTheDefaults(t *testing.T) {
	t.Parallel()
	g := &target{Gateway: rig.Start(t, rig.Options{Listen: []string{"mqtt", "mqttsn", "http"}})}
	before := g.Metrics()
	c := g.join("mqttsn", "\x02\x18", sn(4, "\x04\x01\x00\x3cl28"), sn(0x12, "\x22\x00\x01zz"), sn(0x18, "\x00\x3c"))
	defer c.leave()
	g.flood("zz", 1200, 1)
	if err := c.send(sn(0x16, "l28")); err != nil {
		t.Fatal(err)
	}
	qos0, qos1 := c.wake(g)
	if want := numbers(1100, 1200); !slices.Equal(qos0, want) {
		t.Errorf("a sleeper has %d of QoS 0, from %v, want %v", len(qos0), qos0[:1], want[:1])
	}
	if want := numbers(200, 1200); !slices.Equal(qos1, want) {
		t.Errorf("a sleeper has %d of QoS 1, from %v, want %v", len(qos1), qos1[:1], want[:1])
	}
	after := g.Metrics()
	for what, want := range map[string]float64{
		`entrepot_messages_dropped_total{protocol="core",reason="queue_full"}`: 1300,
		`entrepot_limit_refused_total{limit="queue",protocol="core"}`:          200,
		`entrepot_limit_refused_total{limit="queue_qos0",protocol="core"}`:     1100,
	} {
		if got := after[what] - before[what]; got != want {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	g.Quit()
	for _, words := range []string{"limit=queue ns=default count=200", "limit=queue_qos0 ns=default count=1100"} {
		if n := strings.Count(g.Log.Text(), "msg=limit.refused "+words+"\n"); n != 1 {
			t.Errorf("%d lines of the log with %s", n, words)
		}
	}
}

// flood publishes pairs of messages over MQTT, numbered, each number with QoS 0 and then with QoS 1, and waits for the last.
func (g *target) flood(topic string, pairs, size int) {
	g.Helper()
	pub := g.join("mqtt", "\x20", hello5)
	defer pub.leave()
	for i := range pairs {
		payload := fmt.Sprintf("#%05d", i) + strings.Repeat("x", size)
		if err := pub.send(publish5(0, topic, "", "", payload) + publish5(2, topic, u16(i+1), "", payload)); err != nil {
			g.Fatal(err)
		}
		if err := pub.await("\x40\x02" + u16(i+1)); err != nil {
			g.Fatal(err)
		}
	}
}

// wake reads what a wake-up brings, acknowledges it, and tells the numbers that came by QoS. They must come in their order.
func (c *patient) wake(g *target) (qos0, qos1 []int) {
	g.Helper()
	last := 0
	for {
		select {
		case b := <-c.heard:
			if string(b) == "\x02\x17" { // PINGRESP
				return qos0, qos1
			}
			n, err := strconv.Atoi(string(b[8:13]))
			if err != nil || b[1] != 0x0c || n < last {
				g.Fatalf("%q came after %d", b, last)
			}
			if last = n; b[2]&0x60 == 0 {
				qos0 = append(qos0, n)
			} else {
				qos1 = append(qos1, n)
				if err := c.send(sn(0x0d, string(b[3:7])+"\x00")); err != nil {
					g.Fatal(err)
				}
			}
		case <-time.After(rig.Patience):
			g.Fatalf("no PINGRESP came, after %d of QoS 0 and %d of QoS 1", len(qos0), len(qos1))
		}
	}
}

// numbers are those from and before.
func numbers(from, before int) (all []int) {
	for n := from; n < before; n++ {
		all = append(all, n)
	}
	return all
}
