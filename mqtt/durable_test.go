package mqtt

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// gated is a store whose writes wait while the gate is shut.
type gated struct {
	*adaptertest.Store
	mu   sync.Mutex
	gate chan struct{} // Guarded by mu.
}

func (g *gated) Write(b []*core.Batch, sync bool) error {
	g.mu.Lock()
	gate := g.gate
	g.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return g.Store.Write(b, sync)
}

// shut lets no write pass until the function it returns is called.
func (g *gated) shut() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	gate := make(chan struct{})
	g.gate = gate
	return func() {
		g.mu.Lock()
		g.gate = nil
		g.mu.Unlock()
		close(gate)
	}
}

func runGated(t *testing.T, f func(w *world, g *gated)) {
	g := &gated{Store: adaptertest.NewStore()}
	run(t, nil, func(w *world) { f(w, g) }, func(o *adaptertest.Options) { o.Store = g })
}

func TestMQTT_MQ10_PubackWaitsForDurableReceiversAlone(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		w.reader("away", v5, "d", keep(100)).Drop()
		w.reader("here", v5, "t")
		p, q := w.connect("p", v5), w.connect("q", v311)
		open := g.shut()
		q.send(pub("t", "x", 1, 1), pub("nobody", "x", 2, 2)) // transient receivers wait for nothing
		q.want("PUBACK #1", "PUBREC #2")
		p.send(pub("d", "x", 1, 1), pub("d", "x", 2, 2), pub("t", "x", 1, 3), ping)
		p.want("PINGRESP")
		q.send(pub("d", "x", 1, 3), retained("kept", "x", 1, 4))
		q.want()
		open()
		w.Settle()
		p.want("PUBACK #1", "PUBREC #2", "PUBACK #3")
		q.want("PUBACK #3", "PUBACK #4")
	})
}

func TestMQTT_MQ10_PubrecWaitsForTheIdentifierOfADurablePublisher(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		p := w.connect("p", v5, keep(100))
		open := g.shut()
		p.send(pub("nobody", "x", 2, 1))
		p.want()
		open()
		w.Settle()
		p.want("PUBREC #1 10")
		open = g.shut() // MQ12
		p.send(ack(packet.PUBREL, 1))
		p.want()
		open()
		w.Settle()
		p.want("PUBCOMP #1")
	})
}

func TestMQTT_MQ13_OutboundQoS2WaitsForTheStore(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		r := w.reader("r", v5, "a", keep(100))
		p := w.connect("p", v5)
		p.send(pub("a", "0", 1, 1)) // the first of a connection waits until it is noted that something is sent
		r.want(`PUBLISH q1 #2 a "0"`)
		p.want("PUBACK #1")
		r.send(ack(packet.PUBACK, 2))
		open := g.shut()
		p.send(pub("a", "1", 1, 1), pub("a", "2", 2, 2))
		r.want(`PUBLISH q1 #3 a "1"`) // QoS 1 need not wait
		open()
		w.Settle()
		r.want(`PUBLISH q2 #4 a "2"`)
		open = g.shut()
		r.send(ack(packet.PUBREC, 4))
		r.want()
		open()
		w.Settle()
		r.want("PUBREL #4")
	})
}

func TestMQTT_MB10_SubackAndConnackWaitForTheStore(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		w.connect("p", v5).send(retained("a", "x", 0, 0))
		r := w.connect("r", v5, keep(100))
		open := g.shut()
		r.send(sub(1, "a", 1))
		late := w.dial("late", v5, keep(100))
		r.want() // neither SUBACK nor a retained message before it
		late.want()
		open()
		w.Settle()
		r.want("SUBACK #1 01", `PUBLISH retain a "x"`)
		late.want("CONNACK " + announced)
		open = g.shut()
		r.send(unsub(2, "a"))
		r.want()
		open()
		w.Settle()
		r.want("UNSUBACK #2 00")
	})
}

func TestMQTT_MC13_NoDisconnectPrecedesTheConnack(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		fresh := &peer{Conn: w.Open(), t: t, v: v5}
		fresh.Evict(core.ShuttingDown)
		fresh.ends()
		open := g.shut()
		p := w.dial("p", v5, keep(100))
		p.Evict(core.ShuttingDown)
		p.ends("CONNACK code=88")
		old := w.dial("old", v311, resume)
		old.Evict(core.ShuttingDown)
		old.ends("CONNACK code=03")
		open()
	})
}

func TestMQTT_MC21_MC22_ReasonStringsOfAcknowledgements(t *testing.T) {
	run(t, nil, func(w *world) {
		text := func(p *peer) string {
			t.Helper()
			p.send(pub("no", "x", 1, 1))
			return string(p.packets()[0].(*packet.Ack).Properties.Str(packet.ReasonString))
		}
		if got := text(w.connect("p", v5)); got != "not authorized" {
			t.Errorf("got %q", got)
		}
		if got := text(w.connect("q", v5, num(packet.RequestProblemInfo, 0))); got != "" {
			t.Errorf("sent %q to a client that does not want it", got)
		}
		if got := text(w.connect("r", v5, num(packet.MaximumPacketSize, 20))); got != "" {
			t.Errorf("sent %q beyond the Maximum Packet Size", got)
		}
		s := w.connect("s", v5)
		s.send(subs(1, "a", "b#"))
		if got := s.packets()[0].(*packet.Suback); string(got.Properties.Str(packet.ReasonString)) != "bad filter" {
			t.Errorf("SUBACK says %q", got.Properties.Str(packet.ReasonString))
		}
	}, denying("publish no"))
}

func TestMQTT_MC22_AnAcknowledgementThatDoesNotFitCloses(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, num(packet.MaximumPacketSize, 16))
		p.send(subs(1, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"))
		p.ends("DISCONNECT 95")
		q := w.connect("q", v5, num(packet.MaximumPacketSize, 16))
		q.send(subs(1, "bad#"))
		q.want("SUBACK #1 8f") // without its Reason String
	})
}

// ending is a login with an end.
type ending struct{ after time.Duration }

func (e ending) Authenticate(context.Context, adapters.Credentials) (*core.Principal, core.Reason) {
	return &core.Principal{Namespace: core.DefaultNamespace, User: "u", Expires: time.Now().Add(e.after)}, core.OK
}

func TestMQTT_ME6_ALoginWithAnEnd(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, keepAliveOf(600))
		old := w.connect("old", v311)
		w.Advance(59 * time.Second)
		p.open()
		w.Advance(1200 * time.Millisecond)
		p.ends("DISCONNECT 87")
		old.ends()
	}, func(o *adaptertest.Options) { o.Auth = ending{time.Minute} })
}

func TestMQTT_MW5_StrictUTF8(t *testing.T) {
	run(t, &Config{StrictUTF8: true}, func(w *world) {
		for name, m := range map[string]*packet.Publish{
			"control character": with(pub("a", "x", 0, 0), user("k", "a\nb")),
			"non-character":     with(pub("a", "x", 0, 0), setStr(packet.ContentType, "\ufdd0")),
			"topic":             pub("a\uffff", "x", 0, 0),
		} {
			p := w.connect("p", v5)
			p.send(m)
			if got := p.recv(); len(got) != 1 || got[0] != "DISCONNECT 81" {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

func TestMQTT_MR5_ALiveValueNeverPrecedesItsOlderRetainedOne(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(retained("a/1", "old", 0, 0), retained("a/2", "old", 1, 1), retained("a/3", "old", 1, 2))
		p.recv()
		r := w.connect("r", v5, num(packet.ReceiveMaximum, 1))
		r.send(sub(1, "a/#", 1))
		p.send(retained("a/3", "new", 1, 3))
		var seen []string
		for got := r.packets(); len(got) > 0; got = r.packets() {
			for _, x := range got {
				if m, ok := x.(*packet.Publish); ok {
					seen = append(seen, string(m.Topic)+"="+string(m.Payload))
					if m.QoS == 1 {
						r.send(ack(packet.PUBACK, m.ID))
					}
				}
			}
		}
		last := map[string]string{}
		for _, s := range seen {
			if s == "a/3=old" && last["a/3"] == "new" {
				t.Errorf("the old value came after the new one: %q", seen)
			}
			last[s[:3]] = s[4:]
		}
		if last["a/1"] != "old" || last["a/3"] != "new" {
			t.Errorf("got %q", seen)
		}
	})
}
