package abuse

import (
	"fmt"
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

// TestSECURITY_K3c_SleepersHoldWhatTheyMay: clients that sleep while their topic is flooded keep what the section allows, the
// newest.
func TestSECURITY_K3c_SleepersHoldWhatTheyMay(t *testing.T) {
	n := sockets(100, 5000)
	attack{set: []string{"mqttsn.queue=50", "limits.udp.peers_per_address=10000", "mqttsn.max_clients_per_source=10000"}, moved: []string{"messages_dropped queue_full"}, held: int64(n) * 64 << 10}.run(t, func(g *target) {
		var all []*patient
		for i := range n {
			c := g.join("mqttsn", "\x02\x18", sn(4, "\x04\x01\x00\x3ck3c-"+fmt.Sprint(i)), sn(0x12, "\x02\x00\x01zz"), sn(0x18, "\x00\x3c"))
			all = append(all, c)
		}
		pub := g.join("mqtt", "\x20", hello5)
		defer pub.leave()
		for range 300 {
			if err := pub.send(publish5(0, "zz", "", "", strings.Repeat("x", 100))); err != nil {
				t.Fatal(err)
			}
		}
		if err := pub.send(publish5(2, "zz", "\x00\x01", "", "newest")); err != nil {
			t.Fatal(err)
		}
		if err := pub.await("\x40\x02\x00\x01"); err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			defer c.leave()
		}
		for i, c := range []*patient{all[0], all[len(all)/2], all[len(all)-1]} {
			if err := c.send(sn(0x16, fmt.Sprint("k3c-", []int{0, len(all) / 2, len(all) - 1}[i]))); err != nil {
				t.Fatal(err)
			}
			if err := c.await("newest"); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(c.passed), "\x0c\x02zz"); n > 50 {
				t.Errorf("a sleeper had %d messages", n)
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
