// Package bench puts load on a gateway or broker and measures what arrives: messages in a second, latency from the
// intended time of sending, losses and duplicates by sequence number, and what it cost a process.
//
// It is defined by docs/commands.md and docs/performance.md. Publishers and subscribers may speak different protocols.
package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

// Options say what load to make.
type Options struct {
	From, To dial.Options // of the publishers and of the subscribers
	Pubs     int
	Subs     int
	QoS      int
	Size     int           // of a payload in bytes, at least MinSize
	Rate     float64       // messages a second of all publishers together; 0: as fast as Window allows
	Window   int           // messages of one publisher on their way at a time, where Rate is 0
	Topics   int           // publisher i uses topic i modulo Topics, subscriber likewise; 0: the smaller of Pubs and Subs
	Time     time.Duration // of the measurement
	Warmup   time.Duration // before it, not counted
	Drain    time.Duration // longest wait afterwards for what is still on its way
	PIDs     []int         // processes whose CPU and memory are reported
	// Progress is called once a second, nil for never.
	Progress func(Progress)
	// Dial connects; nil for dial.Dial.
	Dial func(context.Context, dial.Options) (dial.Conn, error)
}

// Progress is an intermediate state.
type Progress struct {
	Elapsed        time.Duration
	Sent, Received uint64 // since the start
	Rate           float64
}

func (o *Options) defaults() error {
	if o.Topics == 0 {
		o.Topics = max(1, min(o.Pubs, o.Subs))
	}
	if o.Dial == nil {
		o.Dial = dial.Dial
	}
	if o.Window == 0 {
		o.Window = 64
	}
	switch {
	case o.Pubs < 1 || o.Subs < 0 || o.Topics < 1 || o.Topics > max(o.Pubs, o.Subs):
		return fmt.Errorf("at least one publisher, and no more topics than publishers or subscribers")
	case o.Size < MinSize:
		return fmt.Errorf("a payload has at least %d bytes: time, publisher and sequence number", MinSize)
	case o.Rate < 0 || o.Window < 1 || o.Time <= 0:
		return fmt.Errorf("rate, window and time are positive")
	}
	return nil
}

// run is one measurement.
type run struct {
	Options
	name     string // of this run's topics
	start    time.Time
	counting atomic.Bool
	sent     atomic.Uint64 // while counting
	allSent  atomic.Uint64
	received atomic.Uint64
	refused  atomic.Uint64
	pubs     []*publisher
	subs     []*subscriber
}

// Run connects, warms up, measures and waits for what is on its way.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.defaults(); err != nil {
		return nil, &dial.Error{Kind: dial.Usage, Err: err}
	}
	r := &run{Options: o, name: "bench/" + rand.Text()[:8], start: time.Now()}
	defer r.close()
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	sending, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for _, p := range r.pubs {
		wg.Go(func() { p.send(sending) })
	}
	r.wait(ctx, o.Warmup)
	before := usage(o.PIDs)
	began := time.Now()
	atBegin := r.received.Load()
	r.counting.Store(true)
	r.wait(ctx, o.Time)
	r.counting.Store(false)
	took := time.Since(began)
	atEnd := r.received.Load()
	after := usage(o.PIDs)
	stop()
	wg.Wait()
	r.drain(ctx)
	return r.result(took, atEnd-atBegin, before, after), ctx.Err()
}

// connect opens subscribers first, so that nothing is published to nobody.
func (r *run) connect(ctx context.Context) error {
	for i := range r.Subs {
		s := newSubscriber(r, i)
		o := r.To
		o.ClientID = fmt.Sprintf("bench-s%d-%s", i, r.name[6:])
		o.OnMessage = s.message
		c, err := r.Dial(ctx, o)
		if err != nil {
			return fmt.Errorf("subscriber %d: %w", i, err)
		}
		s.conn = c
		r.subs = append(r.subs, s)
		if _, err := c.Subscribe(ctx, r.topic(i), min(r.QoS, dial.Abilities(o.Protocol(), o.Version).MaxQoS)); err != nil {
			return fmt.Errorf("subscriber %d: %w", i, err)
		}
	}
	for i := range r.Pubs {
		o := r.From
		o.ClientID = fmt.Sprintf("bench-p%d-%s", i, r.name[6:])
		o.Window = max(r.Window, 64)
		c, err := r.Dial(ctx, o)
		if err != nil {
			return fmt.Errorf("publisher %d: %w", i, err)
		}
		r.pubs = append(r.pubs, newPublisher(r, i, c))
	}
	return nil
}

func (r *run) topic(i int) string { return fmt.Sprintf("%s/%d", r.name, i%r.Topics) }

// wait lets the load run, and tells how it goes.
func (r *run) wait(ctx context.Context, d time.Duration) {
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := r.received.Load()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-tick.C:
			now := r.received.Load()
			if r.Progress != nil {
				r.Progress(Progress{time.Since(r.start), r.allSent.Load(), now, float64(now - last)})
			}
			last = now
		}
	}
}

// drain waits until everything has arrived, nothing has moved for a second, or the time is up.
func (r *run) drain(ctx context.Context) {
	deadline := time.NewTimer(r.Drain)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last, still := uint64(0), 0
	for r.received.Load() < r.expected() && still < 20 {
		select {
		case <-ctx.Done():
			return
		case <-deadline.C:
			return
		case <-tick.C:
			still++
			if now := r.received.Load(); now != last {
				last, still = now, 0
			}
		}
	}
}

// expected is the number of deliveries that everything sent so far makes.
func (r *run) expected() (n uint64) {
	for _, s := range r.subs {
		for _, p := range r.pubs {
			if p.index%r.Topics == s.index%r.Topics {
				n += p.seq.Load()
			}
		}
	}
	return n
}

func (r *run) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, p := range r.pubs {
		_ = p.conn.Close(ctx)
	}
	for _, s := range r.subs {
		if s.conn != nil {
			_ = s.conn.Close(ctx)
		}
	}
}
