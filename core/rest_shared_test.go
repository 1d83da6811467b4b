package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// sharedQueue is a way to have a durable queue that others may consume.
type sharedQueue struct {
	name string // of the queue
	to   string // the topic that leads to it
	open func(w *world)
	from func(w *world) *taker // a connection with a consumer
}

const groupName = "$share/g/t"

var sharedQueues = map[string]sharedQueue{
	"named": {"q", "$queue/q", declares, func(w *world) *taker { return w.consumes("q") }},
	"bound": {"q", "t", func(w *world) {
		p := w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		p.Bind(w.turn, "q", core.Subscription{Filter: "t", QoS: 2})
	}, func(w *world) *taker { return w.consumes("q") }},
	"named, with a durable member": {"q", "$queue/q", declares, func(w *world) *taker { return w.member("$queue/q") }},
	"group":                        {groupName, "t", func(w *world) { w.member(groupName).Detach(w.turn, core.ConnectionLost) }, func(w *world) *taker { return w.member(groupName) }},
	"group that another member is in": {groupName, "t", func(w *world) {
		b := w.attach(durable("b"))
		b.sub(groupName, 1)
		b.Detach(w.turn, core.ConnectionLost)
	}, func(w *world) *taker { return w.member(groupName) }},
}

func declares(w *world) {
	w.attach(core.Client{}).Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
}

// taker is a connection with a consumer of a queue that others may consume.
type taker struct {
	*conn
	x *core.Consumer // nil: the one that is woken
}

func (w *world) consumes(queue string) *taker {
	c := w.attach(core.Client{})
	x, reason := c.Consume(w.turn, queue, core.ConsumeOptions{QoS: 1})
	expect(w.t, "consume", reason, core.OK)
	return &taker{c, x}
}

func (w *world) member(filter string) *taker {
	c := w.attach(durable("a"))
	c.sub(filter, 1)
	return &taker{conn: c}
}

// all takes up to so many, whatever is to be read first.
func (c *taker) all(most int) (got []core.Delivery) {
	for len(got) < most {
		told := c.told()
		for y := c.NextReady(); y != nil; y = c.NextReady() {
			if y != c.Inbox() {
				c.x = y
			}
		}
		n := len(got)
		if c.x != nil {
			got = c.x.Take(c.w.turn, slices.Grow(got, most), most-n)
		}
		if len(got) == n && !told {
			break
		}
	}
	return got
}

// numbered checks payloads from a number on, each of which is at that attempt.
func (w *world) numbered(got []core.Delivery, from, to, attempt int) {
	w.t.Helper()
	for i, d := range got {
		if string(d.Message.Payload) != fmt.Sprint(from+i) || int(d.Attempt) != attempt {
			w.t.Fatalf("%s comes in place %d at attempt %d, want %d", d.Message.Payload, from+i, d.Attempt, attempt)
		}
	}
	expect(w.t, "deliveries", len(got), to-from)
}

func (w *world) rests(name string) {
	w.t.Helper()
	if n, bytes := w.router.ResidentIn(name); n > core.RestMessages || bytes > core.RestBytes {
		w.t.Fatalf("%s has %d messages and %d bytes in memory", name, n, bytes)
	}
}

// What a durable queue has in memory while nobody takes from it is bounded by
// little, whatever it held before and whatever arrives; it misses nothing of it,
// and counts deliveries as ever.
func TestAQueueWithoutConsumersHoldsLittleInMemory(t *testing.T) {
	for name, s := range sharedQueues {
		for _, c := range []struct{ before, taken, after int }{{0, 0, 200}, {200, 0, 0}, {200, 150, 0}, {40, 40, 0}, {1000, 100, 500}, {6, 3, 0}, {6, 3, 300}} {
			t.Run(fmt.Sprint(name, c), func(t *testing.T) {
				simulate(t, func(w *world) {
					s.open(w)
					p, a := w.attach(core.Client{}), s.from(w)
					publish := func(from, to int) {
						for i := from; i < to; i++ {
							p.pub(s.to, fmt.Sprint(i), 1)
						}
						w.end()
					}
					publish(0, c.before)
					for round := range 3 {
						w.numbered(a.all(c.taken), 0, c.taken, round+1)
						a.Detach(w.turn, core.ConnectionLost)
						w.end()
						w.rests(s.name)
						if round == 2 {
							break
						}
						a = s.from(w)
					}
					publish(c.before, c.before+c.after)
					w.rests(s.name)
					total := c.before + c.after
					expect(t, "messages", w.router.Stats().Namespaces[0].QueueMessages, total)
					a = s.from(w)
					w.numbered(a.all(c.taken), 0, c.taken, 4)
					got := a.all(2 * total)
					w.numbered(got, c.taken, total, 1)
					a.settle(core.Accepted, got...)
					w.end()
					expect(t, "entries", w.store.count('q'), c.taken)
					w.crash(core.Options{})
					if n, _ := w.router.ResidentIn(s.name); n > 0 {
						t.Fatalf("%d messages in memory after a start", n)
					}
					w.numbered(s.from(w).all(2*total), 0, c.taken, 1)
				})
			})
		}
	}
}

// An orderly end of the consumer is one as well.
func TestAQueueRestsHoweverItsLastConsumerEnds(t *testing.T) {
	for name, ends := range map[string]func(w *world, a *conn, x *core.Consumer){
		"cancelled": func(w *world, _ *conn, x *core.Consumer) { x.Cancel(w.turn) },
		"stopped": func(w *world, a *conn, x *core.Consumer) {
			x.Stop(w.turn)
			w.end()
			if n, _ := w.router.ResidentIn("q"); n > 50+core.RestMessages { // what it holds
				w.t.Fatalf("%d messages in memory", n)
			}
			a.Detach(w.turn, core.Normal)
		},
		"its session ended": func(w *world, a *conn, _ *core.Consumer) { a.Detach(w.turn, core.Normal) },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				declares(w)
				p, a := w.attach(core.Client{}), w.attach(core.Client{})
				x, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
				w.fill(p, "q", 200)
				(&taker{a, x}).all(50)
				ends(w, a, x)
				w.end()
				w.rests("q")
				b := w.consumes("q")
				w.numbered(b.all(50), 0, 50, 2)
				w.numbered(b.all(999), 50, 200, 1)
			})
		})
	}
}

// Who takes one message at a time reads a window, which goes with its connection.
func TestWhatWasReadForAGetGoesWithItsConnection(t *testing.T) {
	simulate(t, func(w *world) {
		declares(w)
		p := w.attach(core.Client{})
		w.fill(p, "q", 600)
		g := w.attach(core.Client{})
		for i := range 300 {
			d, waiting, ok, _ := g.get("q", false)
			if !ok || string(d.Message.Payload) != fmt.Sprint(i) || waiting != 599-i {
				t.Fatalf("%d: %v, %d wait", i, ok, waiting)
			}
		}
		g.Detach(w.turn, core.Normal)
		w.end()
		w.rests("q")
		a := w.consumes("q")
		w.numbered(a.all(300), 0, 300, 2)
		w.numbered(a.all(999), 300, 600, 1)
	})
}

// A message is given up at its last attempt, wherever it was between them.
func TestAttemptsAreCountedThroughTheStore(t *testing.T) {
	simulate(t, func(w *world) {
		var dead []string
		w.router.OnDead("room", func(_ *core.Turn, d core.Dead) {
			dead = append(dead, fmt.Sprint(string(d.Message.Payload), "/", d.Attempts))
		})
		p := w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, MaxAttempts: 3, DeadRoom: "room"})
		w.fill(p, "q", 100)
		for round := range 3 {
			expect(t, "dead", len(dead), 0)
			a := w.consumes("q")
			got := a.all(20 + 20*round)
			expect(t, "deliveries", len(got), 20+20*round)
			for i, d := range got {
				expect(t, "attempt of "+string(d.Message.Payload), int(d.Attempt), round+1-i/20)
			}
			a.Detach(w.turn, core.ConnectionLost)
			w.end()
			w.rests("q")
		}
		expect(t, "dead", strings.Join(dead[:2], " "), "0/3 1/3")
		expect(t, "dead", len(dead), 20)
		info, _ := p.Inspect("q")
		expect(t, "waiting", info.Waiting, 80)
	})
}

// Who takes one message and leaves has few read, and who stays has a window.
func TestOneWhoTakesOneMessageHasFewRead(t *testing.T) {
	simulate(t, func(w *world) {
		declares(w)
		p := w.attach(core.Client{})
		w.fill(p, "q", 1000)
		for i := range 100 {
			a := w.consumes("q")
			got := a.all(1)
			w.numbered(got, i, i+1, 1)
			a.settle(core.Accepted, got...)
			if n, _ := w.router.ResidentIn("q"); n > 3*core.RestMessages {
				t.Fatalf("%d messages in memory", n)
			}
			a.x.Cancel(w.turn)
		}
		a := w.consumes("q")
		w.numbered(a.all(300), 100, 400, 1)
		if n, _ := w.router.ResidentIn("q"); n < 300+128 {
			t.Errorf("%d messages in memory", n)
		}
		w.numbered(a.all(999), 400, 1000, 1)
	})
}

// A full group drops the oldest that was not sent, of what its last member left,
// and a named queue the oldest of all.
func TestAFullQueueWithoutConsumersDropsWhatItWould(t *testing.T) {
	for name, c := range map[string]struct{ queue, to, want string }{
		"group": {groupName, "t", "0+ 1+ 2+ 3+ 8 9 10 11"},
		"named": {"$queue/q", "$queue/q", "4 5 6 7 8 9 10 11"},
	} {
		t.Run(name, func(t *testing.T) {
			options := core.SmallPages(core.Options{}, 9)
			options.Limits.QueueMessages = 8
			simulateWith(t, options, func(w *world) {
				p := w.attach(core.Client{})
				p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, Limits: core.QueueLimits{Messages: 8, Overflow: core.DropOldest}})
				a := w.member(c.queue)
				publish := func(from, to int) {
					for i := from; i < to; i++ {
						p.pub(c.to, fmt.Sprint(i), 1)
						w.end()
					}
				}
				publish(0, 8)
				w.numbered(a.all(4), 0, 4, 1)
				a.Detach(w.turn, core.ConnectionLost)
				publish(8, 12)
				var got []string
				for _, d := range w.member(c.queue).all(9) {
					text := string(d.Message.Payload)
					if d.Redelivered() {
						text += "+"
					}
					got = append(got, text)
				}
				expect(t, "left", strings.Join(got, " "), c.want)
			})
		})
	}
}

// A flood that drops the oldest each time, behind what was sent before, does not
// slow down.
func BenchmarkDropBehindWhatWasSent(b *testing.B) {
	r, err := core.New(core.Options{Store: newMapStore()})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	turn := r.NewTurn(nil)
	s, _ := r.Attach(turn, core.Client{ID: "p"}, &conn{})
	client := durable("a")
	client.KeepQoS0, client.Queue = true, core.QueueLimits{Messages: 10_000}
	a, _ := r.Attach(turn, client, &conn{})
	a.Subscribe(turn, []core.Subscription{{Filter: "x", QoS: 1}}, nil)
	mt, _ := s.Route(turn, []byte("x"))
	publish := func(n int) {
		for i := range n {
			m := core.NewMessage([]byte("x"))
			m.Topic, m.QoS = mt.Topic(), uint8(i%2)
			s.Publish(turn, mt, m)
			turn.End()
			turn.Begin()
		}
	}
	publish(100)
	for got := 0; got < 100; {
		got += len(a.Inbox().Take(turn, make([]core.Delivery, 0, 100), 100))
		turn.End()
		turn.Begin()
	}
	a.Detach(turn, core.ConnectionLost)
	publish(20_000)
	for b.Loop() {
		publish(1)
	}
}
