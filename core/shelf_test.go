package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// limited are the limits that dropped something, with how often.
func (w *world) limited() string {
	var all []string
	w.router.Refused(func(_ string, l core.Limit, n uint64) { all = append(all, fmt.Sprint(l, "=", n)) })
	return strings.Join(all, " ")
}

func TestSecurity_L28_QoS0HasABoundOfItsOwn(t *testing.T) {
	simulate(t, func(w *world) {
		client := durable("a")
		client.Queue.Messages = 3
		a, p := w.attach(client), w.attach(core.Client{})
		a.sub("x", 2)
		a.BoundQoS0(w.turn, 2)
		for _, s := range strings.Split("a0 b1 c0 d2 e0 f1 g1 h0", " ") {
			p.pub("x", s, s[1]-'0')
		}
		expect(t, "limits", w.limited(), "queue=1 queue_qos0=2")
		expect(t, "dropped", w.router.Stats().Dropped[core.DropQueueFull], 3)
		a.settle(core.Accepted, a.expect(9, "x=d2/2 x=e0 x=f1/1 x=g1/1 x=h0")...)
		p.pub("x", "i0", 0)
		a.expect(9, "x=i0")
	})
}

// A smaller bound drops at once, no bound drops nothing, and the next attachment
// has none.
func TestSecurity_L28_TheBoundOfQoS0Changes(t *testing.T) {
	simulate(t, func(w *world) {
		client := durable("a")
		client.Queue.Messages = 3
		a, p := w.attach(client), w.attach(core.Client{})
		a.sub("x", 1)
		a.BoundQoS0(w.turn, 4)
		for i := range 4 {
			p.pub("x", fmt.Sprint(i), 0)
		}
		a.BoundQoS0(w.turn, 2)
		a.BoundQoS0(w.turn, 0)
		for i := range 4 { // these count with the others, of which there are none
			p.pub("x", fmt.Sprint(4+i), 0)
		}
		expect(t, "limits", w.limited(), "queue=1 queue_qos0=2")
		a.expect(9, "x=2 x=3 x=5 x=6 x=7")

		a.BoundQoS0(w.turn, 1)
		p.pub("x", "8", 0)
		b := w.connect(client)
		a.Detach(w.turn, core.TakenOver)
		w.end()
		p.pub("x", "9", 0)
		b.expect(9, "x=8 x=9")
	})
}

func TestSecurity_L14_BytesDropWhatIsApartFirst(t *testing.T) {
	simulate(t, func(w *world) {
		client := core.Client{ID: "a"}
		client.Queue.Bytes = 4 * int64((&core.Message{Topic: "x", Payload: []byte("1")}).Size())
		a, p := w.attach(client), w.attach(core.Client{})
		a.sub("x", 1)
		a.BoundQoS0(w.turn, 9)
		for i, qos := range []uint8{1, 0, 1, 0, 1, 1, 1} {
			p.pub("x", fmt.Sprint(i), qos)
		}
		a.expect(9, "x=2/1 x=4/1 x=5/1 x=6/1")
		expect(t, "dropped", w.router.Stats().Dropped[core.DropQueueFull], 3)
	})
}

func TestWhatIsApartCountsUntilItsQueueEnds(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(core.Client{ID: "a"}), w.attach(core.Client{})
		a.sub("x", 1)
		a.BoundQoS0(w.turn, 9)
		p.pub("x", "1", 0)
		p.pub("x", "2", 1)
		stats := w.router.Stats().Namespaces[0]
		expect(t, "messages", stats.QueueMessages, 2)
		a.Detach(w.turn, core.Normal)
		w.end()
		stats = w.router.Stats().Namespaces[0]
		expect(t, "messages afterwards", stats.QueueMessages, 0)
		expect(t, "bytes afterwards", stats.QueueBytes, 0)
	})
}

// A flood that drops the oldest each time costs no memory, and does not slow down.
func BenchmarkShelf(b *testing.B) {
	store := newMapStore()
	r, err := core.New(core.Options{Store: store})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	turn := r.NewTurn(nil)
	c := &conn{}
	s, _ := r.Attach(turn, core.Client{ID: "a"}, c)
	s.Subscribe(turn, []core.Subscription{{Filter: "x", QoS: 1}}, nil)
	s.BoundQoS0(turn, 100)
	m := &core.Message{Topic: "x", Payload: []byte("y")}
	mt, _ := s.Route(turn, []byte("x"))
	for b.Loop() {
		s.Publish(turn, mt, m)
		turn.End()
		turn.Begin()
	}
}
