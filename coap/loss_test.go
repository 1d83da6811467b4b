package coap

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

// lossy loses three of ten datagrams, and delays and doubles some.
func lossy(seed uint64) func(adaptertest.Packet) adaptertest.Fate {
	r := rand.New(rand.NewPCG(seed, 1))
	return func(adaptertest.Packet) adaptertest.Fate {
		return adaptertest.Fate{
			Drop: r.IntN(10) < 3, Delay: time.Duration(r.IntN(300)) * time.Millisecond, Extra: r.IntN(10) / 9,
		}
	}
}

// insist sends a CON until its answer comes, as RFC 7252, section 4.2 has it,
// and acknowledges a separate one. nil: it gave up.
func (c *client) insist(m *message.Message) *message.Message {
	c.t.Helper()
	wire, wait := m.AppendTo(nil), 2*time.Second
	for range 5 {
		c.Send(wire)
		for waited := time.Duration(0); waited < wait; waited += 100 * time.Millisecond {
			c.d.Advance(100 * time.Millisecond)
			for r := c.next(); r != nil; r = c.next() {
				if r.Type == message.CON {
					c.ack(r)
				}
				if r.Code != message.Empty && r.Token == m.Token {
					return r
				}
			}
		}
		wait *= 2
	}
	return nil
}

func TestCoAP_Q4_RequestsUnderLossAreExecutedOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
			d.Network = lossy(seed)
			answered := 0
			for i := range 40 {
				m := c.build(message.POST, "echo", payload(fmt.Sprint(i)), token(fmt.Sprint(i)))
				if r := c.insist(m); r != nil {
					answered++
					if string(r.Payload) != fmt.Sprintf("echo %d", i) {
						t.Errorf("%v", r)
					}
				}
			}
			if answered < 35 || x.executed > 40 || x.executed < answered {
				t.Errorf("seed %d: %d answered, %d executed", seed, answered, x.executed)
			}
		})
	}
}

func TestCoAP_Q4_SeparateResponsesUnderLoss(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		d.Network = lossy(9)
		answered := 0
		for i := range 20 {
			m := c.build(message.POST, "slow", token(fmt.Sprint(i)))
			c.send(m)
			d.Advance(3 * time.Second)
			c.send(m) // the first may have been lost
			d.Advance(time.Second)
			c.RecvAll()
			if p := x.ep.peers[source{addr: c.Addr}]; p != nil {
				for _, h := range x.waiting {
					h.ready = true
				}
				x.waiting = nil
				p.handle.Ready(nil)
			}
			if c.insist(m) != nil {
				answered++
			}
		}
		if answered < 15 || x.executed > 20 {
			t.Errorf("%d answered, %d executed", answered, x.executed)
		}
	})
}

func TestCoAP_Q12_ObserverUnderLossSeesEveryQoS1ValueInOrder(t *testing.T) {
	t.Parallel()
	script(t, Config{ObserveQueue: 1000}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		r := rand.New(rand.NewPCG(3, 3))
		d.Network = func(p adaptertest.Packet) adaptertest.Fate {
			if p.From != c.Addr && p.To != c.Addr {
				return adaptertest.Fate{}
			}
			return adaptertest.Fate{Drop: r.IntN(100) < 15, Extra: r.IntN(10) / 9} // five in a row are rare enough
		}
		for i := range 60 {
			c.publish("ps/a", fmt.Sprint(i))
		}
		seen, last := map[uint16]bool{}, -1
		for range 4000 {
			for m := c.next(); m != nil; m = c.next() {
				c.ack(m)
				if seen[m.ID] {
					continue
				}
				seen[m.ID] = true
				var n int
				if _, err := fmt.Sscan(string(m.Payload), &n); err != nil || n != last+1 {
					t.Fatalf("%v after %d", m, last)
				}
				last = n
			}
			if last == 59 {
				return
			}
			d.Advance(100 * time.Millisecond)
		}
		t.Fatalf("the last one seen is %d", last)
	})
}

func TestCoAP_Q11_BlockwisePutUnderLoss(t *testing.T) {
	t.Parallel()
	script(t, Config{BlockTTL: 10 * time.Minute}, func(d *adaptertest.Driver, c *client) {
		body := strings.Repeat("0123456789abcdef", 500)
		d.Network = lossy(4)
		for num := 0; num*1024 < len(body); num++ {
			part := body[num*1024 : min(num*1024+1024, len(body))]
			var r *message.Message
			for range 5 { // given up, a client repeats the block under a new message id (B3)
				m := c.build(message.PUT, "ps/big", payload(part), token(fmt.Sprint(num)), optBlock(message.Block1, uint32(num), (num+1)*1024 < len(body), 6))
				if r = c.insist(m); r != nil {
					break
				}
			}
			if r == nil || r.Code.Class() != 2 {
				t.Fatalf("block %d: %v", num, r)
			}
		}
		d.Network = nil
		d.Advance(time.Second)
		c.RecvAll()
		if got := c.fetch(message.GET, "ps/big", 5); got != body {
			t.Fatalf("%d octets", len(got))
		}
	})
}
