package core_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// grown is how much more is reachable per thing after fn, which makes n of them.
func grown(n int, fn func()) uint64 {
	before := heap()
	fn()
	return (heap() - min(before, heap())) / uint64(n)
}

// TestMemoryOfEachThing bounds what many of a kind take, in bytes of the heap,
// where nothing is written. It runs alone.
func TestMemoryOfEachThing(t *testing.T) {
	r, err := core.New(core.Options{Store: newMapStore(), Forget: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	turn := r.NewTurn(nil)
	attach := func(id string, lasts time.Duration) *core.Session {
		s, reason := r.Attach(turn, core.Client{ID: id, Expiry: lasts}, deafSink{})
		if reason != core.OK {
			t.Fatal(reason)
		}
		turn.End()
		turn.Begin()
		return s
	}
	publish := func(s *core.Session, topic string, retain bool) {
		mt, reason := s.Route(turn, []byte(topic))
		if reason != core.OK {
			t.Fatal(reason)
		}
		m := core.NewMessage(payload64)
		m.Topic, m.QoS, m.Retain = mt.Topic(), 1, retain
		if _, _, reason := s.Publish(turn, mt, m); reason != core.OK && (reason != core.NoReceiver || !retain) {
			t.Fatal(reason)
		}
	}
	filled := func(s *core.Session, text string, n int) {
		for i := range n {
			s.Subscribe(turn, []core.Subscription{{Filter: fmt.Sprintf(text, i), QoS: 1}}, nil)
		}
	}
	pub := attach("pub", 0)
	kept := []*core.Session{pub}
	for _, c := range []struct {
		name string
		n    int
		most uint64 // bytes, texts and payloads included
		make func(n int)
	}{
		{"connected session", 10_000, 400, func(n int) {
			for i := range n {
				kept = append(kept, attach(fmt.Sprintf("session-%06d", i), 0))
			}
		}},
		// A ring is full then, which it is to the half in the mean.
		{"message of 64 bytes for a session that is away", 1 << 15, 270, func(n int) {
			s := attach("away", time.Hour)
			filled(s, "away/%d", 1)
			s.Detach(turn, core.Normal)
			for range n {
				publish(pub, "away/0", false)
			}
		}},
		{"retained message of 64 bytes on a topic of 20", 20_000, 200, func(n int) {
			for i := range n {
				publish(pub, fmt.Sprintf("retained/%05d/value", i), true)
			}
		}},
		{"exact filter of 20", 5_000, 176, func(n int) { filled(pub, "f/0000/%05d/measure", n) }},
		{"filter of 20 with a wildcard", 5_000, 384, func(n int) { filled(pub, "f/000000/%05d/+/xyz", n) }},
	} {
		if got := grown(c.n, func() { c.make(c.n) }); got > c.most {
			t.Errorf("a %s takes %d bytes, more than %d", c.name, got, c.most)
		} else {
			t.Logf("a %s takes %d bytes", c.name, got)
		}
		turn.End()
		turn.Begin()
	}
	runtime.KeepAlive(kept)
}
