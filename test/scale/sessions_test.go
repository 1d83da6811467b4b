package scale

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/entrepot/entrepot/mqtt/packet"
	"github.com/entrepot/entrepot/test/rig"
)

const (
	broadcasts = 3  // messages for everybody
	groups     = 10 // shared subscriptions
	jobs       = 200
)

// wave is how many sessions may be connected at a time: each costs the process two descriptors.
func wave(t *testing.T, sessions int) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n := min(sessions/2, (int(min(limit.Cur, 1<<20))-1024)/2, 4000)
	if n < 10 {
		t.Fatalf("%d descriptors are too few", limit.Cur)
	}
	return n
}

// inWaves calls f for each session, a few at a time.
func inWaves(t *testing.T, sessions int, f func(n int) error) {
	t.Helper()
	const workers = 16
	work := make(chan int)
	var wg sync.WaitGroup
	var once sync.Once
	var failed error
	for range workers {
		wg.Go(func() {
			for n := range work {
				if err := f(n); err != nil {
					once.Do(func() { failed = fmt.Errorf("session %d: %w", n, err) })
				}
			}
		})
	}
	for n := range sessions {
		work <- n
	}
	close(work)
	wg.Wait()
	if failed != nil {
		t.Fatal(failed)
	}
}

func name(n int) string { return fmt.Sprint("session-", n) }

// receiver is one session's account of what it got.
type receiver struct {
	got  map[string]int // by topic and payload; QoS 2 once for each identifier
	held map[uint16]bool
	jobs []string
}

// take reads until everything that is due has come, and what had come behind it, and acknowledges it.
func (r *receiver) take(c *client, due int) error {
	for pinged := false; ; {
		kind, err := c.read()
		if err != nil {
			return err
		}
		switch kind {
		case packet.PUBLISH:
			r.publish(c)
		case packet.PUBREL:
			delete(r.held, c.ack.ID)
			c.addAck(packet.PUBCOMP, c.ack.ID)
		case packet.PINGRESP:
			return nil
		}
		if !pinged && len(r.got) >= due && len(r.held) == 0 {
			c.add(&packet.Ping{Type: packet.PINGREQ})
			pinged = true
		}
		if !c.buffered() {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
}

func (r *receiver) publish(c *client) {
	p := &c.publish
	key := string(p.Topic) + " " + string(p.Payload)
	switch p.QoS {
	case 1:
		c.addAck(packet.PUBACK, p.ID)
	case 2:
		c.addAck(packet.PUBREC, p.ID)
		if r.held[p.ID] {
			return
		}
		r.held[p.ID] = true
	}
	if len(key) > 4 && key[:4] == "job/" {
		r.jobs = append(r.jobs, key)
		return
	}
	r.got[key]++
}

// TestTenThousandSessions makes durable sessions with five subscriptions each, publishes to all of them while most are
// away, restarts the gateway, and lets each come back for what is its own. [S12, MC15, MC17]
func TestTenThousandSessions(t *testing.T) {
	const sessions = 10_000 / divisor
	g := start(t)
	warm := mustDial(t, g.At["mqtt"], "warm", lasting)
	if err := errors.Join(warm.subscribe(1, "warm/#"), warm.bye(), end(g.At["mqtt"], "warm")); err != nil {
		t.Fatal(err)
	}
	before := rig.Measure()
	connected := wave(t, sessions)
	stay := make([]*client, sessions)
	inWaves(t, sessions, func(n int) error {
		c, err := dial(g.At["mqtt"], name(n), lasting)
		if err != nil {
			return err
		}
		err = c.subscribe(2, fmt.Sprint("s/", n, "/one"), fmt.Sprint("s/", n, "/two"), "all/#", fmt.Sprint("+/", n, "/wild"), fmt.Sprint("$share/g", n%groups, "/job/#"))
		if err != nil || n >= connected {
			return errors.Join(err, c.bye())
		}
		stay[n] = c
		return nil
	})
	held := rig.Measure()
	t.Logf("%d sessions, %d of them connected: %d bytes a session, the client's side included", sessions, connected, (held.Heap-before.Heap)/sessions)
	for n := range connected { // they are away in the middle of it
		defer stay[n].Close()
		if n == connected/2 {
			publishAll(t, g, sessions)
		}
		if err := stay[n].Close(); err != nil {
			t.Fatal(err)
		}
	}
	clear(stay)
	g.Restart()
	var mu sync.Mutex
	done := map[string]int{}
	inWaves(t, sessions, func(n int) error {
		c, err := dial(g.At["mqtt"], name(n), lasting)
		if err != nil {
			return err
		}
		defer c.Close()
		if !c.present {
			return errors.New("the session is gone")
		}
		r := &receiver{got: map[string]int{}, held: map[uint16]bool{}}
		want := []string{fmt.Sprint("s/", n, "/one 1"), fmt.Sprint("s/", n, "/two 2"), fmt.Sprint("w/", n, "/wild 3")}
		for i := range broadcasts {
			want = append(want, fmt.Sprint("all/x ", i))
		}
		if err := r.take(c, len(want)); err != nil {
			return fmt.Errorf("after %v: %w", r.got, err)
		}
		for _, key := range want {
			if r.got[key] != 1 {
				return fmt.Errorf("%s came %d times: %v", key, r.got[key], r.got)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, j := range r.jobs {
			done[fmt.Sprint(n%groups, j)]++
		}
		return c.bye()
	})
	if len(done) != groups*jobs {
		t.Errorf("%d of %d jobs were done", len(done), groups*jobs)
	}
	inWaves(t, sessions, func(n int) error { return end(g.At["mqtt"], name(n)) })
	// The store keeps tables in memory, and the timer of a session that was ended before its time the session's own record.
	g.Flat(before, 6<<20+sessions<<10)
}

// end ends a session.
func end(addr, id string) error {
	c, err := dial(addr, id)
	if err != nil {
		return err
	}
	return c.bye()
}

// publishAll publishes what every session is to get, and waits until all is acknowledged.
func publishAll(t *testing.T, g *rig.Gateway, sessions int) {
	t.Helper()
	p := newPublisher(mustDial(t, g.At["mqtt"], "publisher"), 1000)
	for n := range sessions {
		p.send(fmt.Sprint("s/", n, "/one"), "1", 1)
		p.send(fmt.Sprint("s/", n, "/two"), "2", 2)
		p.send(fmt.Sprint("w/", n, "/wild"), "3", 1)
	}
	for i := range broadcasts {
		p.send("all/x", fmt.Sprint(i), 1)
	}
	for i := range jobs {
		p.send("job/x", fmt.Sprint(i), 1)
	}
	if err := errors.Join(p.finish(), p.c.bye()); err != nil {
		t.Fatal(err)
	}
}

// publisher publishes through a window and follows the acknowledgements.
type publisher struct {
	c      *client
	window int
	flying map[uint16]bool
	id     uint16
	err    error
}

func newPublisher(c *client, window int) *publisher {
	return &publisher{c: c, window: window, flying: map[uint16]bool{}}
}

// send publishes when the window has room.
func (p *publisher) send(topic, payload string, qos byte) { p.publish(topic, payload, qos, false) }

// retain is send for a message that is kept.
func (p *publisher) retain(topic, payload string) { p.publish(topic, payload, 1, true) }

func (p *publisher) publish(topic, payload string, qos byte, retain bool) {
	for p.err == nil && len(p.flying) >= p.window {
		p.hear()
	}
	for p.id++; p.id == 0 || p.flying[p.id]; p.id++ {
	}
	p.flying[p.id] = true
	at := len(p.c.out)
	p.c.addPublish(topic, payload, qos, p.id, false)
	if retain {
		p.c.out[at] |= 1
	}
	if p.err == nil && len(p.c.out) > 8<<10 {
		p.err = p.c.flush()
	}
}

// hear reads one acknowledgement.
func (p *publisher) hear() {
	if !p.c.buffered() {
		if p.err = p.c.flush(); p.err != nil {
			return
		}
	}
	kind, err := p.c.read()
	switch {
	case err != nil:
		p.err = err
	case p.c.ack.Code.Failed():
		p.err = errors.New(p.c.ack.Code.String())
	case kind == packet.PUBREC:
		p.c.addAck(packet.PUBREL, p.c.ack.ID)
	case kind == packet.PUBACK, kind == packet.PUBCOMP:
		delete(p.flying, p.c.ack.ID)
	}
}

// finish waits until all is acknowledged.
func (p *publisher) finish() error {
	for p.err == nil && len(p.flying) > 0 {
		p.hear()
	}
	return p.err
}
