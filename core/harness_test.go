package core_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/core"
)

// world is a router with connections that are driven by hand, in virtual time.
type world struct {
	t      *testing.T
	store  *mapStore
	router *core.Router
	turn   *core.Turn
}

// simulate runs fn in a bubble of virtual time with a fresh router.
func simulate(t *testing.T, fn func(w *world)) { simulateWith(t, core.Options{}, fn) }

func simulateWith(t *testing.T, o core.Options, fn func(w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: newMapStore()}
		w.open(o)
		defer func() { // also after a failure: the bubble must not keep goroutines
			w.end()
			w.router.Close()
		}()
		fn(w)
	})
}

func (w *world) open(o core.Options) {
	w.t.Helper()
	o.Store = w.store
	r, err := core.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.router, w.turn = r, r.NewTurn(nil)
}

// restart closes the router and opens a new one on the same store.
func (w *world) restart(o core.Options) {
	w.end()
	w.router.Close()
	w.open(o)
}

// crash opens a router on what is stored at this moment; nothing that follows
// comes from the one before.
func (w *world) crash(o core.Options) {
	old := w.router
	w.store = w.store.crashed()
	w.open(o)
	old.Close()
}

// late is the turn of a loop that has not come to its end yet.
func (w *world) late() *core.Turn { return w.router.NewTurn(nil) }

// end ends the turn and waits until the router has nothing left to do.
func (w *world) end() {
	w.turn.End()
	synctest.Wait()
	w.turn.Begin()
}

func (w *world) sleep(d time.Duration) {
	w.turn.End()
	time.Sleep(d)
	synctest.Wait()
	w.turn.Begin()
}

// conn is a connection: it notes what it was told and acts when asked to.
type conn struct {
	*core.Session
	w       *world
	ready   atomic.Int64
	evicted core.Reason
}

func (c *conn) Ready(*core.Turn)    { c.ready.Add(1) }
func (c *conn) Evict(r core.Reason) { c.evicted = r }

func (w *world) attach(client core.Client) *conn {
	w.t.Helper()
	c := w.connect(client)
	w.end()
	if ok, failed := c.State(); !ok {
		w.t.Fatalf("not attached: %v", failed)
	}
	return c
}

// connect attaches without waiting for the end.
func (w *world) connect(client core.Client) *conn {
	w.t.Helper()
	c := &conn{w: w}
	s, reason := w.router.Attach(w.turn, client, c)
	if reason != core.OK {
		w.t.Fatalf("attach: %v", reason)
	}
	c.Session = s
	return c
}

func durable(id string) core.Client { return core.Client{ID: id, Expiry: time.Hour} }

func (c *conn) sub(filter string, qos uint8) core.Grant {
	return c.subscribe(core.Subscription{Filter: filter, QoS: qos})
}

func (c *conn) subscribe(subs ...core.Subscription) core.Grant {
	c.w.t.Helper()
	g, _, _ := c.Subscribe(c.w.turn, subs, nil)
	c.w.end()
	return g[0]
}

func (c *conn) pub(topic, payload string, qos uint8) core.Reason {
	return c.send(topic, payload, func(m *core.Message) { m.QoS = qos })
}

func (c *conn) send(topic, payload string, set func(m *core.Message)) core.Reason {
	c.w.t.Helper()
	mt, reason := c.Route(c.w.turn, []byte(topic))
	if reason != core.OK {
		return reason
	}
	m := core.NewMessage([]byte(payload))
	m.Topic = mt.Topic()
	set(m)
	_, _, reason = c.Publish(c.w.turn, mt, m)
	return reason
}

func retained(m *core.Message) { m.Retain, m.QoS = true, 1 }

// take takes everything that is owed, up to a window.
func (c *conn) take(window int) []core.Delivery {
	var all []core.Delivery
	for {
		x := c.NextReady()
		if x == nil {
			return all
		}
		got := x.Take(c.w.turn, make([]core.Delivery, 0, 64), window)
		window -= len(got)
		all = append(all, got...)
	}
}

// text renders deliveries for comparison.
func text(ds []core.Delivery) string {
	s := ""
	for i := range ds {
		d := &ds[i]
		if i > 0 {
			s += " "
		}
		s += fmt.Sprintf("%s=%s", d.Message.Topic, d.Message.Payload)
		if d.QoS > 0 {
			s += fmt.Sprintf("/%d", d.QoS)
		}
		if d.Retain {
			s += "r"
		}
		if d.Redelivered() {
			s += "+"
		}
		if d.Received {
			s += "R"
		}
		if len(d.IDs) > 0 {
			s += fmt.Sprint(d.IDs)
		}
	}
	return s
}

func (c *conn) expect(window int, want string) []core.Delivery {
	c.w.t.Helper()
	c.w.end()
	got := c.take(window)
	for more := got; len(more) > 0 || c.told(); { // what waited for the store
		c.w.end()
		more = c.take(window - len(got))
		got = append(got, more...)
	}
	if text(got) != want {
		c.w.t.Fatalf("got  %q\nwant %q", text(got), want)
	}
	return got
}

// told tells that Ready was called since it was asked last.
func (c *conn) told() bool {
	c.w.end()
	return c.ready.Swap(0) > 0
}

func (c *conn) settle(o core.Outcome, ds ...core.Delivery) {
	for i := range ds {
		ds[i].Consumer.Settle(c.w.turn, ds[i].Seq, o)
	}
	c.w.end()
}

// get takes one message of a named queue, also when it is to be read first.
func (c *conn) get(queue string, noAck bool) (d core.Delivery, waiting int, ok bool, reason core.Reason) {
	c.w.t.Helper()
	for {
		c.ready.Store(0)
		var later bool
		if d, waiting, ok, later, reason = c.TakeOne(c.w.turn, queue, noAck); !later {
			return d, waiting, ok, reason
		}
		if !c.told() {
			c.w.t.Fatal("a get is not told that what it waits for is there")
		}
	}
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
