//go:build !race

// The gateway is a process of its own here: the race detector would see, and slow down, only what measures it.

package scale

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// pairs are publishers with a subscriber each; they send one message after the other, a thousand a second in all, and tell
// how long each took.
type pairs struct {
	pubs  []*client
	began time.Time

	mu   sync.Mutex
	took []time.Duration
	seen sync.WaitGroup // messages that are on their way
}

const pace = time.Millisecond

func startPairs(t *testing.T, addr string, n int) *pairs {
	t.Helper()
	p := &pairs{began: time.Now()}
	for i := range n {
		sub := mustDial(t, addr, fmt.Sprint("sub-", i))
		if err := sub.subscribe(0, fmt.Sprint("pair/", i)); err != nil {
			t.Fatal(err)
		}
		p.pubs = append(p.pubs, mustDial(t, addr, fmt.Sprint("pub-", i)))
		go p.receive(sub)
	}
	return p
}

// receive ends with the connection.
func (p *pairs) receive(c *client) {
	for {
		kind, err := c.read()
		if err != nil {
			return
		}
		if kind != packet.PUBLISH {
			continue
		}
		sent := time.Duration(binary.BigEndian.Uint64(c.publish.Payload))
		took := time.Since(p.began) - sent
		p.mu.Lock()
		p.took = append(p.took, took)
		p.mu.Unlock()
		p.seen.Done()
	}
}

// run sends for so long, and returns how long each message took.
func (p *pairs) run(t *testing.T, d time.Duration) []time.Duration {
	t.Helper()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var payload [8]byte
	for n, end := 0, time.Now().Add(d); time.Now().Before(end); n++ {
		<-tick.C
		i := n % len(p.pubs)
		c := p.pubs[i]
		p.seen.Add(1)
		binary.BigEndian.PutUint64(payload[:], uint64(time.Since(p.began)))
		c.addPublish(fmt.Sprint("pair/", i), string(payload[:]), 0, 0, false)
		if err := c.flush(); err != nil {
			t.Fatal(err)
		}
	}
	p.seen.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	took := p.took
	p.took = nil
	return took
}

// spread is how long messages took: half of them, and all but one of a hundred, at most.
type spread struct{ median, hundredth time.Duration }

func spreadOf(took []time.Duration) spread {
	slices.Sort(took)
	return spread{took[len(took)/2], took[len(took)*99/100]}
}

func (s spread) String() string {
	return fmt.Sprintf("median %v, 99 %% %v", s.median.Round(time.Microsecond), s.hundredth.Round(10*time.Microsecond))
}

// beside measures the pairs in turns, alone and beside what others do, which ends when its channel is closed.
func (p *pairs) beside(t *testing.T, turns int, others func(end <-chan struct{})) (alone, with spread) {
	t.Helper()
	const turn = 400 * time.Millisecond
	var quiet, loud []time.Duration
	for range turns {
		quiet = append(quiet, p.run(t, turn)...)
		end, ended := make(chan struct{}), make(chan struct{})
		go func() { defer close(ended); others(end) }()
		loud = append(loud, p.run(t, turn)...)
		close(end)
		<-ended
	}
	return spreadOf(quiet), spreadOf(loud)
}
