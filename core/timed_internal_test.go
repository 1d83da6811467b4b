package core

import (
	"testing"
	"time"
)

// Of a stream of messages about one in a millisecond is timed; of few, each is.
func TestAboutOneMessageInAMillisecondIsTimed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ perPass, atOnce, least, most int }{
		{1, 1, 1000, 1000},
		{10, 1, 900, 3000},
		{1000, 1, 900, 3000},
		{4096, 64, 900, 5000},
	} {
		var s sampler
		timed := 0
		for ms := range Time(1000) {
			s.begins(ms + 1)
			for n := 0; n < tc.perPass; n += tc.atOnce {
				if s.counts(tc.atOnce, ms+1) {
					timed++
				}
			}
		}
		if timed < tc.least || timed > tc.most {
			t.Errorf("of %d a millisecond, %d at once, %d were timed in a second", tc.perPass, tc.atOnce, timed)
		}
	}
}

// What follows a flood is timed again at once.
func TestTheFirstMessageAfterARestIsTimed(t *testing.T) {
	t.Parallel()
	var s sampler
	s.begins(1)
	for range 100_000 {
		s.counts(1, 1)
	}
	if s.every != mostUntimed {
		t.Error(s.every)
	}
	s.begins(Time(2).After(longUntimed))
	if !s.counts(1, Time(2).After(longUntimed)) {
		t.Error("not timed")
	}
}

// A message keeps its instant when it is copied to be kept, and loses it when its memory is used again.
func TestTheInstantBelongsToOneMessage(t *testing.T) {
	t.Parallel()
	var l Lent
	m := l.Lend([]byte("x"))
	l.Encoded(1<<16, []byte("wire"))
	m.accepted(time.Second)
	if at, ok := m.Accepted(); at != time.Second || !ok || string(m.Frame(1<<16)) != "wire" {
		t.Error(at, ok)
	}
	if at, ok := m.kept().Accepted(); at != time.Second || !ok {
		t.Error(at, ok)
	}
	if at, ok := l.Lend(nil).Accepted(); ok || l.Message.Frame(acceptedKey) != nil {
		t.Error(at)
	}
	if at, ok := m.again().Accepted(); ok {
		t.Error(at)
	}
	r, err := New(Options{Store: noStore{}, Forget: true})
	if err != nil {
		t.Fatal(err)
	}
	turn := r.NewTurn(nil)
	m = turn.NewMessage([]byte("y"))
	m.accepted(time.Second)
	turn.reuse(m)
	if next := turn.NewMessage([]byte("z")); next != m || next.timed || next.frames.Load() != nil {
		t.Error("memory that is used again is timed")
	}
}

func BenchmarkSampler(b *testing.B) {
	var s sampler
	for b.Loop() {
		s.counts(1, 1)
	}
}
