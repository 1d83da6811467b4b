package scale

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
	"github.com/entrepot/entrepot/test/rig"
)

// identity is one client whose sockets take its session over from each other. It publishes and receives; what a socket reads
// after another has its CONNACK is not processed any more.
type identity struct {
	t    *testing.T
	addr string
	id   string

	mu      sync.Mutex
	current *client
	newest  map[*client]int // of the connections that were taken over for sure: what had been published then
	over    bool            // nothing new is published
	sockets int             // connections that had a CONNACK
	refused int

	// As a publisher.
	next   int // number of the next message; even ones are of QoS 2
	lastID uint16
	flying []outgoing

	// As a receiver.
	from *identity // who publishes what it receives
	held map[uint16]bool
	got  *account
}

// outgoing is a message that is not acknowledged.
type outgoing struct {
	id       uint16
	n        int
	released bool
}

// account counts what arrived, by number.
type account struct {
	times []int
	last  int // newest of QoS 2
}

func (a *account) add(t *testing.T, who string, payload []byte) {
	var n int
	if _, err := fmt.Sscan(string(payload), &n); err != nil {
		t.Error(err)
		return
	}
	for len(a.times) <= n {
		a.times = append(a.times, 0)
	}
	a.times[n]++
	switch {
	case n%2 == 1: // QoS 1: again is allowed
	case a.times[n] > 1:
		t.Errorf("%s: message %d of QoS 2 came twice", who, n)
	case n < a.last:
		t.Errorf("%s: message %d came after %d", who, n, a.last)
	default:
		a.last = n
	}
}

const flyingMost = 20

// fill publishes while there is room. mu is held.
func (x *identity) fill(c *client, topic string) {
	for topic != "" && !x.over && len(x.flying) < flyingMost {
		x.lastID++
		if x.lastID == 0 {
			x.lastID = 1
		}
		o := outgoing{id: x.lastID, n: x.next}
		x.next++
		x.flying = append(x.flying, o)
		c.addPublish(topic, fmt.Sprint(o.n), o.qos(), o.id, false)
	}
}

func (o outgoing) qos() byte { return byte(2 - o.n%2) }

// published is the number of the message that comes next.
func (x *identity) published() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.next
}

// takeOver makes a socket the current one, and repeats what is not acknowledged. It dialled when there had been so many
// before: the server has seen these before it, while of those since then nobody knows whether they came after it.
// [MQTT-4.4.0-1]
func (x *identity) takeOver(c *client, topic string, sockets int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.from != nil && x.sockets == sockets {
		x.newest[x.current] = x.from.published()
	}
	x.current = c
	x.sockets++
	for _, o := range x.flying {
		if o.released {
			c.addAck(packet.PUBREL, o.id)
		} else {
			c.addPublish(topic, fmt.Sprint(o.n), o.qos(), o.id, true)
		}
	}
	x.fill(c, topic)
}

// process handles one packet; false when the socket is not the current one any more.
func (x *identity) process(c *client, kind packet.Type, topic string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.current != c {
		return false
	}
	id := c.ack.ID
	switch kind {
	case packet.PUBLISH:
		id = c.publish.ID
		switch {
		case c.publish.QoS == 1:
			c.addAck(packet.PUBACK, id)
		case c.publish.QoS == 2:
			c.addAck(packet.PUBREC, id)
		}
		if c.publish.QoS != 2 || !x.held[id] {
			x.got.add(x.t, x.id, c.publish.Payload)
		}
		if c.publish.QoS == 2 {
			x.held[id] = true
		}
	case packet.PUBREL:
		delete(x.held, id)
		c.addAck(packet.PUBCOMP, id)
	case packet.PUBREC:
		for i := range x.flying {
			if x.flying[i].id == id {
				x.flying[i].released = true
			}
		}
		c.addAck(packet.PUBREL, id)
	case packet.PUBACK, packet.PUBCOMP:
		for i := range x.flying {
			if x.flying[i].id == id {
				x.flying = append(x.flying[:i], x.flying[i+1:]...)
				break
			}
		}
	}
	x.fill(c, topic)
	return true
}

// done tells that everything is complete.
func (x *identity) done() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.over && len(x.flying) == 0
}

// socket connects again and again until stop is closed, and uses the session while it has it. One in three goes without a
// word after a while.
func (x *identity) socket(stop chan struct{}, seed uint64, topic string) {
	random := rand.New(rand.NewPCG(seed, 1))
	for {
		select {
		case <-stop:
			return
		default:
		}
		x.mu.Lock()
		sockets := x.sockets
		x.mu.Unlock()
		c, err := dial(x.addr, x.id, lasting, window(50))
		var no errRefused
		switch {
		case errors.As(err, &no) && (no.Code == packet.ConnectionRateExceeded || no.Code == packet.UnspecifiedError): // another one came later
			x.mu.Lock()
			x.refused++
			x.mu.Unlock()
			continue
		case err != nil:
			x.t.Errorf("%s: %v", x.id, err)
			return
		}
		x.use(c, topic, random, sockets)
		c.Close()
	}
}

// use is the life of one connection.
func (x *identity) use(c *client, topic string, random *rand.Rand, sockets int) {
	if !c.present {
		x.t.Errorf("%s: the session is gone", x.id)
	}
	x.takeOver(c, topic, sockets)
	vanish := -1
	if random.IntN(3) == 0 {
		vanish = random.IntN(500)
	}
	for n := 0; n != vanish; n++ {
		if !c.buffered() {
			if c.flush() != nil { // the server has closed it
				c.out = c.out[:0]
			}
		}
		kind, err := c.read()
		var end errEnd
		switch {
		case errors.As(err, &end) && end.Code == packet.SessionTakenOver:
			if kind, err = c.read(); err == nil {
				x.t.Errorf("%s: %s came after DISCONNECT", x.id, kind)
			}
			return
		case errors.As(err, &end):
			x.t.Errorf("%s: %v", x.id, err)
			return
		case err != nil:
			return
		}
		if !x.process(c, kind, topic) {
			x.drain(c)
			return
		}
	}
}

// drain reads what a connection had got before it was taken over: nothing that was published after that. [MT2]
func (x *identity) drain(c *client) {
	x.mu.Lock()
	newest, known := x.newest[c]
	x.mu.Unlock()
	for known {
		kind, err := c.read()
		if err != nil {
			return
		}
		if kind != packet.PUBLISH {
			continue
		}
		var n int
		if _, err := fmt.Sscan(string(c.publish.Payload), &n); err != nil || n >= newest {
			x.t.Errorf("%s: message %d came on a connection that was taken over before %d", x.id, n, newest)
		}
	}
}

// TestTakeoverStorm lets two clients, a publisher and a subscriber, be taken over from several sockets each, while QoS 1 and
// QoS 2 flow from the one to the other. [F3, MT1, MT2, MT4, MQ7, MQ15]
func TestTakeoverStorm(t *testing.T) {
	length := time.Duration(factor(t)) * 8 * time.Second
	g := start(t)
	for _, id := range []string{"from", "to"} {
		c := mustDial(t, g.At["mqtt"], id, lasting)
		if err := c.subscribe(2, map[string]string{"from": "none", "to": "storm"}[id]); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	watch := &identity{t: t, addr: g.At["mqtt"], id: "watch", held: map[uint16]bool{}, got: &account{}}
	reader := mustDial(t, g.At["mqtt"], "watch", lasting)
	if err := reader.subscribe(2, "storm"); err != nil {
		t.Fatal(err)
	}
	watch.current = reader
	var beside sync.WaitGroup
	beside.Go(func() { // nobody takes that one over
		for {
			if !reader.buffered() && reader.flush() != nil {
				return
			}
			kind, err := reader.read()
			if err != nil || !watch.process(reader, kind, "") {
				return
			}
		}
	})
	from := &identity{t: t, addr: g.At["mqtt"], id: "from", held: map[uint16]bool{}, got: &account{}}
	to := &identity{t: t, addr: g.At["mqtt"], id: "to", from: from, newest: map[*client]int{}, held: map[uint16]bool{}, got: &account{}}
	before := rig.Measure()
	stop := make(chan struct{})
	var storm sync.WaitGroup
	for n := range uint64(5) {
		storm.Go(func() { from.socket(stop, n, "storm") })
		storm.Go(func() { to.socket(stop, n+100, "") })
	}
	<-time.After(length)
	from.mu.Lock()
	from.over = true
	from.mu.Unlock()
	if err := rig.Until("the acknowledgement of all", from.done); err != nil {
		t.Errorf("%d publishes are not acknowledged", len(from.flying))
	}
	complete := func(x *identity) func() bool {
		return func() bool {
			x.mu.Lock()
			defer x.mu.Unlock()
			if len(x.got.times) < from.next || len(x.held) > 0 {
				return false
			}
			for _, times := range x.got.times {
				if times == 0 {
					return false
				}
			}
			return true
		}
	}
	for _, x := range []*identity{to, watch} {
		if err := rig.Until("the arrival of all", complete(x)); err != nil {
			t.Errorf("%s: %d of %d messages came", x.id, len(x.got.times), from.next)
		}
	}
	close(stop)
	ended := make(chan struct{})
	go func() { storm.Wait(); close(ended) }()
	g.Wait("the end of the storm", func() bool { // those that were about to connect come one after the other
		for _, x := range []*identity{from, to} {
			x.mu.Lock()
			x.current.Close()
			x.mu.Unlock()
		}
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
	<-ended
	reader.Close()
	beside.Wait()
	t.Logf("%d messages, %d and %d connections, of which %d were taken over for sure, %d refused", from.next, from.sockets, to.sockets, len(to.newest), from.refused+to.refused)
	if from.sockets < 50 || to.sockets < 50 || from.next < 100 || len(to.newest) < 10 {
		t.Error("that was no storm")
	}
	if err := errors.Join(end(g.At["mqtt"], "from"), end(g.At["mqtt"], "to"), end(g.At["mqtt"], "watch")); err != nil {
		t.Fatal(err)
	}
	to.newest, to.got, watch.got = nil, nil, nil
	g.Flat(before, 8<<20)
}
