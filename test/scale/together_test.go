//go:build !race

// The gateway is a process of its own here: the race detector would see, and slow down, only what measures it.

package scale

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// A full house: how many there are of each at the same time.
type house struct {
	connections   int // idle, of sessions with a subscription each
	holders       int // sessions of them that have many
	subscriptions int // of all
	retained      int
	delay         time.Duration // of others' median, beside a walk over all that is retained
}

// size is small in the ordinary run; with ENTREPOT_TOGETHER=1000000 there are so many subscriptions and retained messages,
// and as many connections as this process may have descriptors.
func size(t *testing.T) house {
	t.Helper()
	text := os.Getenv("ENTREPOT_TOGETHER")
	if text == "" {
		return house{500, 5, 10_000, 10_000, mayDelay}
	}
	n, err := strconv.Atoi(text)
	var limit syscall.Rlimit
	if err = errors.Join(err, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)); err != nil {
		t.Fatal(err)
	}
	return house{int(limit.Cur) - 600, 200, n, n, 3 * mayDelay} // it is not in the caches of the processor
}

const perSubscribe = 100 // filters

// TestManyOfEverythingTogether fills a gateway with idle connections, subscriptions and retained messages; who subscribes to
// all of it does not delay others; and after a kill it is there again.
func TestManyOfEverythingTogether(t *testing.T) {
	h := size(t)
	limits := []string{"limits.accept_rate.listener=unlimited", "limits.accept_rate.address=unlimited", "limits.trusted=[127.0.0.0/8]",
		"limits.connections=100000", "limits.retained.namespace=2000000", "limits.retained_bytes=4GiB", "limits.publish_rate=unlimited",
		"limits.queue_messages=2000000"}
	g := launch(t, limits...)
	empty, _ := g.memory()
	idle := h.connect(t, g)
	connected, _ := g.memory()
	h.subscribe(t, idle)
	subscribed, _ := g.memory()
	h.retain(t, g)
	now, most := g.memory()
	t.Logf("%d connections: %d MiB; %d subscriptions: %d; %d retained messages: %d MiB; in all %d, at most %d", h.connections, connected-empty,
		h.subscriptions, subscribed-connected, h.retained, now-subscribed, now, most)
	h.check(t, g, "before")

	p := startPairs(t, g.mqtt, 10)
	p.run(t, 200*time.Millisecond)
	walks := 0
	p.fair(t, 4, h.delay, func(end <-chan struct{}) { walks += h.walk(t, g, end) })
	began := time.Now()
	if err := h.walkOnce(g, nil); err != nil {
		t.Error(err)
	}
	t.Logf("# was walked %d times beside the pairs, and takes %v", walks, time.Since(began).Round(time.Millisecond))
	now, most = g.memory()
	t.Logf("%d MiB after that, at most %d", now, most)

	g.kill()
	for _, c := range idle {
		c.Close()
	}
	g.start()
	now, most = g.memory()
	t.Logf("after the kill: ready in %v, %d MiB, at most %d", g.ready.Round(time.Millisecond), now, most)
	h.check(t, g, "after the start")
	c := mustDial(t, g.mqtt, name(0), lasting)
	if !c.present {
		t.Error("a session is gone")
	}
	pub := newPublisher(mustDial(t, g.mqtt, "again"), 1)
	pub.send("idle/0", "hello", 1)
	if err := pub.finish(); err != nil {
		t.Fatal(err)
	}
	if kind, err := c.read(); err != nil || kind != packet.PUBLISH || string(c.publish.Payload) != "hello" {
		t.Errorf("%v %q, %v", kind, c.publish.Payload, err)
	}
}

// connect opens the idle connections, with a subscription each.
func (h house) connect(t *testing.T, g *process) []*client {
	t.Helper()
	idle := make([]*client, h.connections)
	inWaves(t, h.connections, func(n int) error {
		c, err := dial(g.mqtt, name(n), lasting)
		if err != nil {
			return err
		}
		idle[n] = c
		err = c.subscribe(1, fmt.Sprint("idle/", n))
		c.in = make([]byte, 256)
		return err
	})
	t.Cleanup(func() {
		for _, c := range idle {
			c.Close()
		}
	})
	return idle
}

// subscribe makes the rest of the subscriptions: half of them have a wildcard.
func (h house) subscribe(t *testing.T, idle []*client) {
	t.Helper()
	rest := (h.subscriptions - h.connections + h.holders - 1) / h.holders
	inWaves(t, h.holders, func(n int) error {
		filters := make([]string, 0, perSubscribe)
		for i := range rest {
			if filters = append(filters, fmt.Sprint("of/", n, "/", i, []string{"/t", "/+"}[i%2])); len(filters) == perSubscribe || i == rest-1 {
				if err := idle[n].subscribe(1, filters...); err != nil {
					return err
				}
				filters = filters[:0]
			}
		}
		return nil
	})
}

// retain publishes the retained messages.
func (h house) retain(t *testing.T, g *process) {
	t.Helper()
	c := mustDial(t, g.mqtt, "retainer")
	p := newPublisher(c, 1000)
	for n := range h.retained {
		p.retain(fmt.Sprint("kept/", n%1000, "/", n), fmt.Sprint("a value of some length, number ", n))
	}
	if err := errors.Join(p.finish(), c.bye()); err != nil {
		t.Fatal(err)
	}
}

// check asks the metrics whether all is there.
func (h house) check(t *testing.T, g *process, when string) {
	t.Helper()
	subscriptions, retained := g.metric(`entrepot_subscriptions{namespace="default"}`), g.metric(`entrepot_retained_messages{namespace="default"}`)
	if subscriptions < h.subscriptions || retained != h.retained {
		t.Errorf("%s: %d subscriptions, %d retained messages, want %d and %d", when, subscriptions, retained, h.subscriptions, h.retained)
	}
}

// walk subscribes to everything, again and again until end, and says how many times all that is retained came.
func (h house) walk(t *testing.T, g *process, end <-chan struct{}) (times int) {
	for {
		err := h.walkOnce(g, end)
		select {
		case <-end:
			return times
		default:
		}
		if err != nil {
			t.Error(err)
			return times
		}
		times++
	}
}

// walkOnce subscribes to everything, and reads until all that is retained has come, or until end.
func (h house) walkOnce(g *process, end <-chan struct{}) error {
	c, err := dial(g.mqtt, "all")
	if err != nil {
		return err
	}
	over := make(chan struct{})
	defer close(over)
	go func() { // the end of the turn ends the connection
		defer c.Close()
		select {
		case <-end:
		case <-over:
		}
	}()
	if err := c.subscribe(0, "#"); err != nil {
		return err
	}
	for seen := 0; seen < h.retained; {
		kind, err := c.read()
		if err != nil {
			return fmt.Errorf("after %d retained messages: %w", seen, err)
		}
		if kind == packet.PUBLISH && bytes.HasPrefix(c.publish.Topic, []byte("kept/")) {
			seen++
		}
	}
	return nil
}
