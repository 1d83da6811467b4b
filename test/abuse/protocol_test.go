package abuse

import (
	"fmt"
	"strings"
	"testing"
)

func TestSECURITY_P1b_DeepTopicsAreNotKept(t *testing.T) {
	attack{moved: []string{"refused mqtt bad_topic"}}.run(t, func(g *target) {
		const retained = `entrepot_retained_messages{namespace="default"}`
		kept, told := g.Metrics()[retained]
		if !told {
			t.Fatalf("no metric %s", retained)
		}
		all := hello5
		for i := range 50 {
			all += publish5(3, fmt.Sprint(i, strings.Repeat("/", 32_000)), u16(i+1), "", "x")
		}
		g.asks("mqtt", all+ping+over, "connack 00"+strings.Repeat(", puback 90", 50)+", pingresp")
		if now := g.Metrics()[retained]; now != kept {
			t.Errorf("%v retained messages, %v before", now, kept)
		}
	})
}

// TestSECURITY_P1c_ManyFiltersOneCopy: 4096 filters that all match, and a client that publishes to them.
func TestSECURITY_P1c_ManyFiltersOneCopy(t *testing.T) {
	attack{moved: []string{"messages mqtt out"}}.run(t, func(g *target) {
		var filters []string
		for n := range 4096 {
			levels := make([]string, 12)
			for i := range levels {
				levels[i] = string("a+"[n>>i&1])
			}
			filters = append(filters, strings.Join(levels, "/"))
		}
		c := g.join("mqtt", "\xd0\x00", hello5, subscribe5(1, "\x0b\x07", filters...)+ping)
		defer c.leave()
		pub := ""
		for i := range 20 {
			pub += publish5(0, strings.Repeat("a/", 11)+"a", "", "", fmt.Sprintf("copy-%02d", i))
		}
		if err := c.send(pub); err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // each comes, and comes once: the next one follows it
			want := fmt.Sprintf("copy-%02d", i)
			if err := c.await(want); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(c.passed), "copy-") {
				t.Errorf("more than one copy before %s", want)
			}
		}
		if err := c.send(ping); err != nil {
			t.Fatal(err)
		}
		if err := c.await("\xd0\x00"); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(c.passed), "copy-") {
			t.Error("a copy too many")
		}
	})
}

// TestSECURITY_P2_EveryPacketInEveryState: whatever packet comes in whatever state, the connection goes on or ends, in the
// words of its protocol; nobody gets in and nothing is routed by it.
func TestSECURITY_P2_EveryPacketInEveryState(t *testing.T) {
	attack{moved: []string{"protocol_errors mqtt", "protocol_errors stomp", "protocol_errors amqp", "preauth_closed mqtt protocol"}}.run(t, func(g *target) {
		spy := g.join("mqtt", "\x90\x04\x00\x01\x00\x01", connect5("spy", ""), subscribe5(1, "", "sweep"))
		defer spy.leave()
		var jobs []func() error
		play := func(on, before, packet, after string, loggedIn bool) {
			jobs = append(jobs, func() error {
				got, err := g.ask(on, before+packet+after)
				switch {
				case err != nil:
					return fmt.Errorf("%s %q after %s: %q, %w", on, packet, brief(before), got, err)
				case strings.Contains(got, "?"):
					return fmt.Errorf("%s %q after %s: %q", on, packet, brief(before), got)
				case !loggedIn && (strings.Contains(got, "connack 00") || strings.Contains(got, "CONNECTED") || strings.Contains(got, "10.41")):
					return fmt.Errorf("%s %q before a login: %q", on, packet, got)
				}
				return nil
			})
		}
		for first := range 256 {
			for _, body := range []string{"", "\x00\x01", text("sweep"), "\x00\x01\x00" + text("sweep") + "\x00"} {
				p := mq(byte(first), body)
				if first>>4 != 3 { // a PUBLISH is one
					play("mqtt", hello5, p, over, true)
					play("mqtt", hello4, p, over, true)
				}
				play("mqtt", "", p, ping, false)
			}
		}
		for _, command := range []string{"SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT", "CONNECTED", "MESSAGE", "RECEIPT", "ERROR", ""} {
			for _, headers := range []string{"", "id:1", "destination:elsewhere", "transaction:t", "id:1\ndestination:elsewhere\ntransaction:t\nreceipt:r"} {
				play("stomp", "", st(command, headers, ""), bye, false)
				for _, state := range []string{"", st("BEGIN", "transaction:t", ""), st("SUBSCRIBE", "id:1\ndestination:elsewhere", "")} {
					play("stomp", stompConnect+state, st(command, headers, ""), bye, true)
				}
			}
		}
		states := []string{"", amqpHeader, amqpHeader + startOk, amqpHeader + startOk + tuneOk, amqp, amqp + channel, amqp + channel + publish091("amq.topic", "elsewhere", "\x00")}
		for _, class := range []int{0, 10, 20, 30, 40, 50, 60, 85, 90, 100} {
			for id := range 125 {
				if id%10 > 1 && id%10 != 2 || class != 60 && class != 50 && id > 61 {
					continue
				}
				for i, state := range states {
					for _, ch := range []int{0, 1} {
						login := class == 10 && i >= 3
						play("amqp", state, method(ch, class, id, ""), closing, i >= 4 || login)
					}
				}
			}
		}
		pool(t, jobs)
		if err := spy.send(publish5(0, "sweep", "", "", "the end")); err != nil {
			t.Fatal(err)
		}
		if err := spy.await("the end"); err != nil {
			t.Error(err)
		}
		if n := strings.Count(string(spy.passed), "sweep"); n != 1 { // the last one's own topic
			t.Errorf("%d messages were routed: %s", n-1, brief(string(spy.passed)))
		}
		g.datagramSweep(t)
	})
}

// datagramSweep sends every type of MQTT-SN in each state, and every code of CoAP; a question at the end is answered.
func (g *target) datagramSweep(t *testing.T) {
	hello := sn(4, "\x04\x01\x00\x3csweep")
	for state, steps := range map[string][]string{"none": nil, "active": {hello}, "asleep": {hello, sn(0x18, "\x00\x3c")}, "awake": {hello, sn(0x18, "\x00\x3c"), sn(0x16, "sweep")}} {
		for ty := range 256 {
			for _, body := range []string{"", "\x00\x01", "\x00\x00\x01\x00\x01\x00"} {
				if ty == 0x18 || ty == 4 {
					continue // these leave the state, in order
				}
				r := gram{hello: steps, send: []string{sn(byte(ty), body)}, want: ""}
				if err := g.survives("mqttsn", r); err != nil {
					t.Fatalf("%s, type %#x: %v", state, ty, err)
				}
				steps = nil // it stays as it is
			}
		}
	}
	for code := range 256 {
		var all []string
		for ty := range 4 {
			all = append(all, co(0x40|byte(ty)<<4, byte(code), next(), ""), co(0x41|byte(ty)<<4, byte(code), next(), "t\xb2ps\x05sweep"))
		}
		if err := g.survives("coap", gram{send: all}); err != nil {
			t.Fatalf("code %d.%02d: %v", code>>5, code&31, err)
		}
	}
}

// survives plays datagrams of any answers and asks the question at the end.
func (g *target) survives(on string, r gram) error {
	c, err := g.admit(healthy{on: on, hello: append(r.hello, endpointOf(on).last), connected: endpointOf(on).reply, datagram: true})
	if c != nil {
		defer c.leave()
	}
	if err != nil {
		return err
	}
	for _, b := range r.send {
		if err := c.send(b); err != nil {
			return err
		}
	}
	if err := c.send(endpointOf(on).last); err != nil {
		return err
	}
	return c.await(endpointOf(on).reply)
}

func TestSECURITY_P4_AliasesBelongToAConnection(t *testing.T) {
	attack{moved: []string{"protocol_errors mqtt"}}.run(t, func(g *target) {
		set := publish5(0, "first", "", "\x23\x00\x01", "1") + publish5(0, "second", "", "\x23\x00\x01", "2")
		c := g.join("mqtt", "\x90\x04\x00\x01\x00\x01", connect5("aliases", ""), subscribe5(1, "", "second"))
		if err := c.send(set + publish5(0, "", "", "\x23\x00\x01", "redefined")); err != nil {
			t.Fatal(err)
		}
		if err := c.await("redefined"); err != nil {
			t.Error(err)
		}
		if err := c.send(over); err != nil {
			t.Error(err)
		}
		c.leave()
		g.asks("mqtt", connect5("aliases", "")+publish5(0, "", "", "\x23\x00\x01", "unset"), "connack 00, disconnect 82")
	})
}

func TestSECURITY_P6_LongFiltersAreFilters(t *testing.T) {
	attack{}.run(t, func(g *target) {
		long := strings.Repeat("x", 65_535)
		g.asks("mqtt", hello5+subscribe5(1, "", long)+mq(0xa2, "\x00\x02\x00"+text(long))+over, "connack 00, suback 01, unsuback 00")
	})
}

// TestSECURITY_P7_NobodyWritesTheLog: what a peer says at length is not logged at length.
func TestSECURITY_P7_NobodyWritesTheLog(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	attack{moved: []string{"protocol_errors"}}.run(t, func(g *target) {
		g.asks("mqtt", hello5+mq(0xe0, "\x04"+varint(3+len(long))+"\x1f"+text(long)), "connack 00")
		g.asks("mqtt", hello5+publish5(0, long+"/#", "", "", ""), "connack 00, disconnect 90")
		g.asks("mqtt", connect5(long, ""), "connack 85")
		g.asks("mqtt", login5(2, "r", long[:1000], "x", "")+over, "connack 00")
		if got, err := g.ask("stomp", after(st("SEND", "destination:/topic/"+long[:8000]+"\\n", ""))); err != nil || !strings.Contains(got, "ERROR") {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := g.ask("amqp", amqpHeader+startOk+tuneOk+method(0, 10, 40, short(long[:200])+short("")+"\x00")); err != nil || !strings.Contains(got, "close 530") {
			t.Errorf("%q, %v", got, err)
		}
		if n := g.Log.Longest(); n > 2048 {
			t.Errorf("a line of the log has %d bytes", n)
		}
	})
}

// TestSECURITY_P9_AReaderThatAcknowledgesNothingCostsItsQueue: with Receive Maximum 1, one message is sent, the queue keeps
// what it may, the rest is dropped.
func TestSECURITY_P9_AReaderThatAcknowledgesNothingCostsItsQueue(t *testing.T) {
	a := attack{set: []string{"limits.queue_messages=100"}, moved: []string{"messages_dropped queue_full"}}
	a.run(t, func(g *target) {
		c := g.join("mqtt", "\x90\x04\x00\x01\x00\x01", connect5("mean", "\x21\x00\x01"), subscribe5(1, "", "flood"))
		defer c.leave()
		all := ""
		for i := range 500 {
			all += publish5(2, "flood", u16(i+1), "", fmt.Sprintf("flood-%03d", i))
		}
		g.asks("mqtt", hello5+all+ping+over, "connack 00"+strings.Repeat(", puback 00", 500)+", pingresp")
		if err := c.await("flood-"); err != nil {
			t.Fatal(err)
		}
		first := string(c.passed)
		if err := c.send(ping); err != nil {
			t.Fatal(err)
		}
		if err := c.await("\xd0\x00"); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(first+string(c.passed), "flood-"); n > 0 {
			t.Errorf("%d messages more came with a window of one", n)
		}
	})
}

// pool runs jobs on a few goroutines.
func pool(t *testing.T, jobs []func() error) {
	t.Helper()
	crowd(t, workers, jobs)
}

// crowd is pool with so many goroutines.
func crowd(t *testing.T, workers int, jobs []func() error) {
	t.Helper()
	queue, failed := make(chan func() error, len(jobs)), make(chan error, workers)
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	for range workers {
		go func() {
			for j := range queue {
				if err := j(); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range workers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
