package disk

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/entrepot/entrepot/core"
)

// client is a connection whose router tells it by a channel.
type client struct {
	*core.Session
	t     *testing.T
	turn  *core.Turn
	ready chan struct{}
}

func (c *client) Evict(core.Reason) {}

func (c *client) Ready(*core.Turn) {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// until ends the turn and waits until what it submitted has come true.
func (c *client) until(what string, ok func() bool) {
	c.t.Helper()
	c.turn.End()
	for end := time.NewTimer(30 * time.Second); !ok(); {
		select {
		case <-c.ready:
		case <-end.C:
			c.t.Fatalf("%s: nothing comes", what)
		}
	}
	c.turn.Begin()
}

// insist repeats what an outage refuses.
func (c *client) insist(what string, try func() core.Reason) {
	c.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); ; <-tick.C {
		switch reason := try(); {
		case reason == core.OK || reason == core.NoReceiver:
			return
		case reason != core.Unavailable && reason != core.DiskFull || time.Now().After(end):
			c.t.Fatalf("%s: %v", what, reason)
		}
		c.turn.End()
		c.turn.Begin()
	}
}

func attach(t *testing.T, r *core.Router, o core.Client) *client {
	t.Helper()
	c := &client{t: t, turn: r.NewTurn(nil), ready: make(chan struct{}, 1)}
	c.insist("attach", func() (reason core.Reason) {
		c.Session, reason = r.Attach(c.turn, o, c)
		return reason
	})
	c.until("attached", func() bool { ok, _ := c.State(); return ok })
	return c
}

// publish repeats a message until it is accepted, and waits until it is safe.
func (c *client) publish(payload string, qos uint8, retain bool) {
	c.t.Helper()
	var seq uint64
	c.insist("publish", func() (reason core.Reason) {
		mt, reason := c.Route(c.turn, []byte("a"))
		if reason != core.OK {
			return reason
		}
		m := core.NewMessage([]byte(payload))
		m.Topic, m.QoS, m.Retain = mt.Topic(), qos, retain
		seq, _, reason = c.Publish(c.turn, mt, m)
		return reason
	})
	c.until("acknowledged", func() bool { return c.Safe() >= seq })
	if c.Failed(seq) {
		c.t.Fatalf("%s: failed", payload)
	}
}

// take takes so many messages of the session's own queue, and settles them.
func (c *client) take(n int) (got []string) {
	c.t.Helper()
	c.until("messages", func() bool {
		x := c.NextReady()
		for x != nil && len(got) < n {
			ds := x.Take(c.turn, make([]core.Delivery, 0, n-len(got)), n-len(got))
			for _, d := range ds {
				got = append(got, string(d.Message.Payload))
				x.Settle(c.turn, d.Seq, core.Accepted)
			}
			if len(ds) == 0 {
				x = c.NextReady()
			}
		}
		c.turn.End()
		c.turn.Begin()
		return len(got) >= n
	})
	return got
}

// TestSECURITY_O6_O7_R1_TheRouterAgreesWithTheStoreThatIsOpenedAnew fails every
// change of the disk while messages are published, taken and settled; then the
// power is cut. What was acknowledged and not settled is there, in order, once.
func TestSECURITY_O6_O7_R1_TheRouterAgreesWithTheStoreThatIsOpenedAnew(t *testing.T) {
	t.Parallel()
	for _, c := range []fault{{0, 1, syscall.EIO}, {0, 7, syscall.EIO}, {0, 40, syscall.ENOSPC}} {
		t.Run(fmt.Sprintf("%v %d", c.err, c.many), func(t *testing.T) {
			t.Parallel()
			for c.first = 1; workThrough(t, c); c.first++ {
			}
			if c.first < 20 {
				t.Errorf("only %d changes", c.first)
			}
		})
	}
}

func workThrough(t *testing.T, f fault) (hit bool) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	var on atomic.Bool
	disk, seen := f.inject(fs, &on)
	l := mustLast(t, quiet(t, disk))
	r, err := core.New(core.Options{Store: l})
	if err != nil {
		t.Fatal(err)
	}
	on.Store(true)
	reader := core.Client{ID: "reader", Expiry: time.Hour}
	c := attach(t, r, reader)
	_, seq, _ := c.Subscribe(c.turn, []core.Subscription{{Filter: "a", QoS: 2}}, nil)
	c.until("subscribed", func() bool { return c.Safe() >= seq })
	p := attach(t, r, core.Client{})
	var want []string
	publish := func(from, to int) {
		for i := from; i < to; i++ {
			payload := fmt.Sprint(i)
			p.publish(payload, uint8(1+i%2), i%3 == 0)
			want = append(want, payload)
		}
	}
	publish(0, 5)
	if got := c.take(3); strings.Join(got, " ") != "0 1 2" {
		t.Fatalf("fault at %d: took %v", f.first, got)
	}
	c.Detach(c.turn, core.Normal)
	c.turn.End()
	publish(5, 10) // and with it the settling
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	hit = seen.Load() >= f.first
	on.Store(false)
	p.Detach(p.turn, core.Normal)
	p.turn.End()
	r.Close()
	_ = l.Close()

	again := mustOpen(t, "data", quiet(t, crashed))
	defer again.Close()
	r, err = core.New(core.Options{Store: again})
	if err != nil {
		t.Fatalf("fault at %d: %v", f.first, err)
	}
	defer r.Close()
	c = attach(t, r, reader)
	rest := want[3:]
	if s := r.Stats(); s.Orphans > 0 || s.Namespaces[0].QueueMessages != len(rest) || s.Namespaces[0].Retained != 1 {
		t.Fatalf("fault at %d: %+v", f.first, s)
	}
	if got := c.take(len(rest)); strings.Join(got, " ") != strings.Join(rest, " ") {
		t.Fatalf("fault at %d: %v, want %v", f.first, got, rest)
	}
	if m, reason := c.Retained(c.turn, "a"); reason != core.OK || string(m.Payload) != "9" {
		t.Fatalf("fault at %d: retained %v", f.first, reason)
	}
	c.turn.End()
	return hit
}
