package scale

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/entrepot/entrepot/mqtt/packet"
	"github.com/entrepot/entrepot/test/rig"
)

// all is how many packet identifiers there are.
const all = 65535

// raised are the limits that let a client use every identifier.
var raised = []string{"mqtt.receive_maximum=65535", "mqtt.inflight=65535"}

// TestEveryIdentifierOfAClientIsHeld uses all identifiers for QoS 2 without a PUBREL: one PUBLISH more is too many, a
// repetition is none, and over a restart nothing is routed twice. [MF3, MQ7, MQ12, P1a, P5]
func TestEveryIdentifierOfAClientIsHeld(t *testing.T) {
	g := start(t, raised...)
	before := rig.Measure()
	reader := mustDial(t, g.At["mqtt"], "reader", lasting)
	if err := errors.Join(reader.subscribe(2, "a"), reader.bye()); err != nil {
		t.Fatal(err)
	}
	p := mustDial(t, g.At["mqtt"], "p", lasting)
	exchange(t, p, func(id uint16) { p.addPublish("a", fmt.Sprint(id), 2, id, false) }, packet.PUBREC)
	p.addPublish("a", "again", 2, 7, true)
	if kind, err := flushed(p); kind != packet.PUBREC || err != nil {
		t.Fatalf("a repetition got %s, %v", kind, err)
	}
	p.addPublish("a", "one more", 1, 7, false)
	var ended errEnd
	if _, err := flushed(p); !errors.As(err, &ended) || ended.Code != packet.ReceiveMaximumExceeded {
		t.Fatalf("one more got %v", err)
	}
	g.Restart()
	p = mustDial(t, g.At["mqtt"], "p", lasting)
	if !p.present {
		t.Fatal("the session is gone")
	}
	exchange(t, p, func(id uint16) {
		if id%97 == 0 { // some are sent again
			p.addPublish("a", "again", 2, id, true)
		}
		p.addAck(packet.PUBREL, id)
	}, packet.PUBCOMP)
	p.addAck(packet.PUBREL, 9)
	if kind, err := flushed(p); kind != packet.PUBCOMP || err != nil || p.ack.Code != packet.PacketIdentifierNotFound {
		t.Fatalf("a PUBREL of the past got %s %s, %v", kind, p.ack.Code, err)
	}
	p.addPublish("a", "new", 2, 9, false)
	if kind, err := flushed(p); kind != packet.PUBREC || err != nil || p.ack.Code != 0 {
		t.Fatalf("an identifier that is free again got %s %s, %v", kind, p.ack.Code, err)
	}
	r := &receiver{got: map[string]int{}, held: map[uint16]bool{}}
	reader = mustDial(t, g.At["mqtt"], "reader", lasting)
	if err := errors.Join(r.take(reader, all+1), reader.bye(), p.bye(), end(g.At["mqtt"], "p"), end(g.At["mqtt"], "reader")); err != nil {
		t.Fatal(err)
	}
	for id := 1; id <= all; id++ {
		if n := r.got[fmt.Sprint("a ", id)]; n != 1 {
			t.Fatalf("message %d came %d times", id, n)
		}
	}
	if r.got["a again"] != 0 || r.got["a one more"] != 0 || r.got["a new"] != 1 {
		t.Error("a repetition was routed")
	}
	r, p, reader = nil, nil, nil
	g.Flat(before, 24<<20)
}

// flushed writes and reads the answer.
func flushed(c *client) (packet.Type, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	return c.read()
}

// exchange sends something for each identifier and reads as many answers of a kind.
func exchange(t *testing.T, c *client, send func(id uint16), kind packet.Type) {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		for id := 1; id <= all; id++ {
			send(uint16(id))
			if id%1000 == 0 || id == all {
				if err := c.flush(); err != nil {
					sent <- err
					return
				}
			}
		}
		sent <- nil
	}()
	answered := make([]bool, all+1)
	for n := 0; n < all; {
		got, err := c.read()
		switch {
		case err != nil:
			t.Fatalf("after %d answers: %v", n, err)
		case got != kind && got != packet.PUBREC || c.ack.Code.Failed():
			t.Fatalf("%s %s after %d answers", got, c.ack.Code, n)
		case got != kind: // of a repetition
		case answered[c.ack.ID]:
			t.Fatalf("%d is answered twice", c.ack.ID)
		default:
			answered[c.ack.ID] = true
			n++
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func TestEveryIdentifierTowardsAClientIsInFlight(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) { towards(t, qos) })
	}
}

// towards fills a client's window of all identifiers, lets it acknowledge them at random over a restart, and goes on until
// they have been around three times. [MQ2, MQ17, MF1, MF4]
func towards(t *testing.T, qos byte) {
	total := all + 10_000 + 125_000*factor(t)/divisor
	g := start(t, raised...)
	before := rig.Measure()
	r := mustDial(t, g.At["mqtt"], "r", lasting, window(all))
	if err := r.subscribe(qos, "a"); err != nil {
		t.Fatal(err)
	}
	published := make(chan error, 1)
	go func() {
		c, err := dial(g.At["mqtt"], "p")
		if err != nil {
			published <- err
			return
		}
		p := newPublisher(c, 500)
		for n := range total {
			p.send("a", fmt.Sprint(n), qos)
		}
		published <- errors.Join(p.finish(), c.bye())
	}()
	x := &acknowledger{t: t, seen: make([]uint8, total), flying: map[uint16]int{}}
	x.fill(r, all)
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	r.Close()
	g.Restart()
	r = mustDial(t, g.At["mqtt"], "r", lasting, window(all))
	x.again, x.flying, x.order = x.flying, map[uint16]int{}, nil
	x.fill(r, all)
	if len(x.again) > 0 {
		t.Fatalf("%d messages did not come again under their identifiers", len(x.again))
	}
	x.drain(r, total, qos)
	for n, times := range x.seen {
		if times != 1 {
			t.Fatalf("message %d came %d times", n, times)
		}
	}
	if err := errors.Join(r.bye(), end(g.At["mqtt"], "r")); err != nil {
		t.Fatal(err)
	}
	x, r = nil, nil
	g.Flat(before, 24<<20)
}

// acknowledger is a client that keeps deliveries and acknowledges them in an order of its own.
type acknowledger struct {
	t      *testing.T
	seen   []uint8        // how often each message came, its repetition after the restart not counted
	count  int            // of messages that came
	flying map[uint16]int // message by identifier
	again  map[uint16]int // those that are to come again
	order  []uint16
}

// fill reads until so many are in flight, and sees to it that no more come.
func (x *acknowledger) fill(c *client, n int) {
	x.t.Helper()
	for len(x.flying) < n {
		x.read(c)
	}
	c.add(&packet.Ping{Type: packet.PINGREQ})
	if kind, err := flushed(c); kind != packet.PINGRESP || err != nil {
		x.t.Fatalf("with a full window came %s, %v", kind, err)
	}
}

// read takes one packet.
func (x *acknowledger) read(c *client) {
	x.t.Helper()
	kind, err := c.read()
	if err != nil {
		x.t.Fatalf("with %d in flight: %v", len(x.flying), err)
	}
	p := &c.publish
	switch kind {
	case packet.PUBLISH:
		var n int
		if _, err := fmt.Sscan(string(p.Payload), &n); err != nil {
			x.t.Fatal(err)
		}
		if was, used := x.flying[p.ID]; used {
			x.t.Fatalf("identifier %d of message %d came with message %d", p.ID, was, n)
		}
		x.flying[p.ID] = n
		x.order = append(x.order, p.ID)
		if had, ok := x.again[p.ID]; ok && had == n {
			delete(x.again, p.ID)
			return
		}
		x.seen[n]++
		x.count++
	case packet.PUBREL:
		c.addAck(packet.PUBCOMP, c.ack.ID)
		delete(x.flying, c.ack.ID)
	}
}

// drain acknowledges at random until every message has come and is complete.
func (x *acknowledger) drain(c *client, total int, qos byte) {
	x.t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for x.count < total || len(x.flying) > 0 {
		for n := min(len(x.order), 1000); n > 0; n-- {
			i := random.IntN(len(x.order))
			id := x.order[i]
			last := len(x.order) - 1
			x.order[i], x.order = x.order[last], x.order[:last]
			if qos == 2 {
				c.addAck(packet.PUBREC, id)
			} else {
				c.addAck(packet.PUBACK, id)
				delete(x.flying, id)
			}
		}
		if err := c.flush(); err != nil {
			x.t.Fatal(err)
		}
		for first := true; first && (x.count < total || qos == 2 && len(x.flying) > 0) || c.buffered(); first = false {
			x.read(c)
		}
	}
}
