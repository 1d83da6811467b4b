package scale

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
	"github.com/entrepot/entrepot/test/rig"
)

// TestSubscribeStorm subscribes to and unsubscribes from 100,000 filters, again and again, beside a publisher and a reader
// that take no part in it. [P6, S12, MB1, MB8]
func TestSubscribeStorm(t *testing.T) {
	const sessions, filters, chunk = 10, 10_000 / divisor, 500
	rounds := 2 * factor(t)
	g := start(t)
	before := rig.Measure()
	reader := mustDial(t, g.At["mqtt"], "reader", lasting)
	if err := reader.subscribe(1, "stable/#"); err != nil {
		t.Fatal(err)
	}
	p := mustDial(t, g.At["mqtt"], "publisher")
	var over atomic.Bool
	published := make(chan int, 1)
	var slowest time.Duration
	go func() { // one at a time, so that each tells how long it took
		n := 0
		for pub := newPublisher(p, 1); !over.Load() && pub.err == nil; n++ {
			begin := time.Now()
			pub.send(fmt.Sprint("stable/", n%1000), fmt.Sprint(n), 1)
			if err := pub.finish(); err != nil {
				t.Error(err)
			}
			slowest = max(slowest, time.Since(begin))
		}
		published <- n
	}()
	received := make(chan map[string]int, 1)
	go func() { received <- readStable(t, reader) }()

	var storm sync.WaitGroup
	for n := range sessions {
		storm.Go(func() {
			if err := churn(g.At["mqtt"], n, rounds, filters, chunk); err != nil {
				t.Errorf("session %d: %v", n, err)
			}
		})
	}
	storm.Wait()
	over.Store(true)
	n := <-published
	last := newPublisher(p, 1)
	last.send("stable/end", "end", 1)
	if err := errors.Join(last.finish(), p.bye()); err != nil {
		t.Fatal(err)
	}
	got := <-received
	for i := range n {
		if got[fmt.Sprint(i)] != 1 {
			t.Fatalf("message %d of %d came %d times", i, n, got[fmt.Sprint(i)])
		}
	}
	t.Logf("%d messages were acknowledged beside it, the slowest in %v", n, slowest)
	if err := errors.Join(reader.bye(), end(g.At["mqtt"], "reader")); err != nil {
		t.Fatal(err)
	}
	got = nil
	g.Flat(before, 12<<20)
}

// churn is one session's part of the storm: half of its filters have wildcards, half of those are other sessions' too.
func churn(addr string, n, rounds, filters, chunk int) error {
	c, err := dial(addr, fmt.Sprint("storm-", n), lasting)
	if err != nil {
		return err
	}
	defer c.Close()
	filter := func(i int) string {
		switch i % 4 {
		case 0:
			return fmt.Sprint("storm/+/", i, "/#")
		case 1:
			return fmt.Sprint("+/storm/", n, "/", i)
		}
		return fmt.Sprint("storm/", n, "/", i)
	}
	for range rounds {
		for from := 0; from < filters; from += chunk {
			s := &packet.Subscribe{ID: 1}
			for i := from; i < from+chunk; i++ {
				s.AppendFilter(filter(i), packet.Options(i%3))
			}
			if err := c.asks(s, packet.SUBACK, func(i int) byte { return byte((from + i) % 3) }); err != nil {
				return err
			}
		}
		for from := 0; from < filters; from += chunk {
			u := &packet.Unsubscribe{ID: 1}
			for i := from; i < from+chunk; i++ {
				u.AppendFilter(filter(i))
			}
			if err := c.asks(u, packet.UNSUBACK, func(int) byte { return 0 }); err != nil {
				return err
			}
		}
	}
	return errors.Join(c.bye(), end(addr, fmt.Sprint("storm-", n)))
}

// asks sends a request for filters and checks the code of each.
func (c *client) asks(p packet.Packet, answer packet.Type, want func(i int) byte) error {
	c.add(p)
	if err := c.flush(); err != nil {
		return err
	}
	h, body, err := c.next()
	if err != nil {
		return err
	}
	var a packet.Suback // an UNSUBACK has the same fields
	if h.Type != answer {
		return fmt.Errorf("%s instead of %s", h.Type, answer)
	}
	if err := a.Parse(&fromServer, packet.V5, h.Flags, body); err != nil {
		return err
	}
	for i, code := range a.Codes {
		if code != want(i) {
			return fmt.Errorf("code %d of %s: %s", i, answer, packet.Code(code))
		}
	}
	return nil
}

// readStable counts what comes until the end.
func readStable(t *testing.T, c *client) map[string]int {
	got := map[string]int{}
	for {
		kind, err := c.read()
		switch {
		case err != nil:
			t.Error(err)
			return got
		case kind != packet.PUBLISH:
			continue
		}
		payload := string(c.publish.Payload)
		c.addAck(packet.PUBACK, c.publish.ID)
		if payload == "end" || !c.buffered() {
			if err := c.flush(); err != nil {
				t.Error(err)
				return got
			}
		}
		if payload == "end" {
			return got
		}
		got[payload]++
	}
}

// TestSessionsOfClientsThatAreAwayAreBounded creates sessions beyond the limit, with the longest expiry, and starts one of
// them afresh again and again. [P8, F5, L17]
func TestSessionsOfClientsThatAreAwayAreBounded(t *testing.T) {
	const sessions, limit = 6000 / divisor, 4000 / divisor
	g := start(t, fmt.Sprint("limits.sessions_offline=", limit))
	longest := func(c *packet.Connect) {
		lasting(c)
		c.Properties.SetNum(packet.SessionExpiryInterval, 1<<32-1)
		c.HasWill, c.WillTopic, c.WillPayload = true, []byte("will"), []byte("gone")
		c.WillProperties.SetNum(packet.WillDelayInterval, 1<<32-1)
	}
	before := rig.Measure()
	var refused atomic.Int64
	inWaves(t, sessions, func(n int) error {
		c, err := dial(g.At["mqtt"], name(n), longest)
		var no errRefused
		if errors.As(err, &no) && no.Code == packet.QuotaExceeded {
			refused.Add(1)
			return nil
		}
		if err != nil {
			return err
		}
		return c.Close()
	})
	if n := refused.Load(); n != sessions-limit {
		t.Errorf("%d sessions were refused", n)
	}
	held := rig.Measure()
	each := (held.Heap - before.Heap) / limit
	t.Logf("%d bytes a session that is away, with its will", each)
	if each > 2<<10 {
		t.Errorf("%d bytes a session", each)
	}
	kept := -1
	for n := 0; kept < 0; n++ {
		c, err := dial(g.At["mqtt"], name(n), longest)
		if err == nil && c.present {
			kept = n
		}
		if err == nil {
			c.Close()
		}
	}
	again := rig.Measure()
	for range 3000 / divisor { // clean start, and no session afterwards but one
		c, err := dial(g.At["mqtt"], name(kept), longest, func(c *packet.Connect) { c.CleanStart = true })
		if err != nil {
			t.Fatal(err)
		}
		if c.present {
			t.Fatal("a clean start found a session")
		}
		if err := c.bye(); err != nil {
			t.Fatal(err)
		}
	}
	g.Flat(again, 6<<20)
}
