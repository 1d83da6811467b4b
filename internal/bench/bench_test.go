package bench

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

func TestSequenceFindsLossDuplicatesAndDisorder(t *testing.T) {
	t.Parallel()
	q := &sequence{}
	for _, n := range []uint64{0, 1, 4, 3, 3, 0, 6} {
		q.add(n)
	}
	if q.doubled != 2 || q.late != 1 || q.lost(7) != 2 || q.lost(10) != 5 {
		t.Errorf("%+v lost %d", q, q.lost(7))
	}
}

func TestHistogramQuantilesAreWithinTwoPercent(t *testing.T) {
	t.Parallel()
	var a, b Histogram
	for i := 1; i <= 100_000; i++ {
		h := &a
		if i%2 == 0 {
			h = &b
		}
		h.Add(time.Duration(i) * time.Microsecond)
	}
	a.Merge(&b)
	for q, want := range map[float64]time.Duration{.5: 50_000 * time.Microsecond, .99: 99_000 * time.Microsecond, .999: 99_900 * time.Microsecond, 1: 100_000 * time.Microsecond} {
		got := a.Quantile(q)
		if diff := got - want; diff < -want/50 || diff > want/50 {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if a.Count() != 100_000 || a.Max() != 100*time.Millisecond {
		t.Error(a.Count(), a.Max())
	}
	var empty Histogram
	empty.Add(-time.Second)
	if empty.Quantile(.5) != 0 {
		t.Error("a negative duration counts as 0")
	}
}

func TestBucketsAreMonotonicAndTight(t *testing.T) {
	t.Parallel()
	last := -1
	for v := uint64(0); v < 1<<58; v = v*5/4 + 1 {
		i := bucket(v)
		if i < last || lower(i) > v || float64(v-lower(i)) > float64(v)/60 {
			t.Fatalf("%d: bucket %d from %d", v, i, lower(i))
		}
		last = i
	}
}

func TestProcessReadsItself(t *testing.T) {
	t.Parallel()
	s := read(os.Getpid())
	if !s.ok || s.resident == 0 || s.name == "" {
		t.Errorf("%+v", s)
	}
	if read(-1).ok {
		t.Error("there is no process -1")
	}
}

// loop is a broker of its own: what is published arrives, except every lose-th message.
type loop struct {
	mu   sync.Mutex
	subs map[string]func(dial.Message)
}

type conn struct {
	loop *loop
	o    dial.Options
	done chan struct{}
}

func (c *conn) Publish(_ context.Context, m dial.Message, done func(error)) {
	c.loop.mu.Lock()
	f := c.loop.subs[m.Topic]
	c.loop.mu.Unlock()
	if f != nil {
		f(m)
	}
	done(nil)
}
func (c *conn) Subscribe(_ context.Context, filter string, qos int) (int, error) {
	c.loop.mu.Lock()
	defer c.loop.mu.Unlock()
	c.loop.subs[filter] = c.o.OnMessage
	return qos, nil
}
func (c *conn) Done() <-chan struct{}       { return c.done }
func (c *conn) Err() error                  { return nil }
func (c *conn) Close(context.Context) error { return nil }

func TestRunMeasuresALoop(t *testing.T) {
	t.Parallel()
	l := &loop{subs: map[string]func(dial.Message){}}
	connect := func(_ context.Context, o dial.Options) (dial.Conn, error) {
		return &conn{l, o, make(chan struct{})}, nil
	}
	o := Options{Pubs: 3, Subs: 3, Size: 64, Time: 50 * time.Millisecond, Drain: time.Second, Dial: connect}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Received == 0 || r.Lost != 0 || r.Duplicates != 0 || r.OutOfOrder != 0 || r.Refused != 0 || r.Latency.Max == 0 {
		t.Errorf("%+v", r)
	}
	if text := r.String(); !strings.Contains(text, "lost 0") || !strings.Contains(text, "p99.9") {
		t.Error(text)
	}
	o.Rate = 1000
	if r, err = Run(t.Context(), o); err != nil || r.AllSent > 200 {
		t.Errorf("paced: %+v, %v", r, err)
	}
	if _, err := Run(t.Context(), Options{Pubs: 1, Size: 3, Time: 1, Dial: connect}); dial.KindOf(err) != dial.Usage {
		t.Error(err)
	}
}
