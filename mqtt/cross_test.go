package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// readers lets only the user "may" receive the topic "t".
type readers struct{}

func (readers) Authorize(p *core.Principal, a core.Action, topic string) bool {
	return a != core.ActionDeliver || topic != "t" || p.User == "may"
}

func TestMQTT_MG8_AMessageThatAMemberMayNotReadGoesToOneThatMay(t *testing.T) {
	run(t, nil, func(w *world) {
		no := w.connect("no", v5, as("not", ""))
		no.send(sub(1, "$share/g/t", 1))
		no.recv()
		may := w.connect("may", v5, as("may", ""))
		may.send(sub(1, "$share/g/t", 1))
		may.recv()
		p := w.connect("p", v5, as("p", ""))
		n := 0
		for i := range 10 {
			p.send(pub("t", "x", 1, uint16(i+1)))
			for _, x := range may.packets() {
				may.send(ack(packet.PUBACK, x.(*packet.Publish).ID))
				n++
			}
		}
		if got := no.recv(); n != 10 || len(got) > 0 {
			t.Errorf("who may got %d of 10, who may not got %q", n, got)
		}
	}, authBy(login{}), func(o *adaptertest.Options) {
		o.Core = func(c *core.Options) { c.Authorizer = readers{} }
	})
}

func TestMQTT_MI2_MI3_RequestAndResponse(t *testing.T) {
	run(t, nil, func(w *world) {
		asker := w.reader("asker", v5, "resp/asker")
		server := w.reader("server", v5, "ask")
		asker.send(with(pub("ask", "?", 1, 1), setStr(packet.ResponseTopic, "resp/asker"), setStr(packet.CorrelationData, "\x00\x07")))
		asker.want("PUBACK #1")
		got := server.packets()[0].(*packet.Publish)
		server.send(ack(packet.PUBACK, got.ID), with(pub(string(got.Properties.Str(packet.ResponseTopic)), "!", 1, 1),
			setStr(packet.CorrelationData, string(got.Properties.Str(packet.CorrelationData)))))
		asker.want("PUBLISH q1 #2 resp/asker \"!\" 09=\x00\x07")
	})
}

func TestMQTT_MT4_QoS2StaysExactlyOnceOverTakeovers(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", keep(1000), num(packet.ReceiveMaximum, 10))
		p := w.connect("p", v5, keep(1000))
		seen := map[string]int{}
		open := map[uint16]bool{} // identifiers whose PUBLISH the reader has taken
		read := func(lines []packet.Packet) {
			for i, x := range lines {
				switch x := x.(type) {
				case *packet.Publish:
					if !open[x.ID] { // the reader's half of exactly once
						seen[string(x.Payload)]++
						open[x.ID] = true
					}
					if i%3 > 0 {
						r.send(ack(packet.PUBREC, x.ID))
					}
				case *packet.Ack:
					delete(open, x.ID)
					if i%2 > 0 {
						r.send(ack(packet.PUBCOMP, x.ID))
					}
				}
			}
		}
		const n = 100
		for i := range n {
			id := uint16(i + 1)
			p.send(pub("a", fmt.Sprint(i), 2, id))
			if i%5 == 0 { // the publisher is taken over between PUBLISH and PUBREL
				p, _ = w.resumes("p", v5, keep(1000))
				dup := pub("a", fmt.Sprint(i), 2, id)
				dup.Dup = true
				p.send(dup)
			}
			p.send(ack(packet.PUBREL, id))
			p.recv()
			read(r.packets())
			if i%7 == 0 { // and the reader wherever it is
				r = w.dial("r", v5, resume, keep(1000), num(packet.ReceiveMaximum, 10))
			}
		}
		for range 50 {
			all := r.packets()
			for _, x := range all {
				switch x := x.(type) {
				case *packet.Publish:
					if !open[x.ID] {
						seen[string(x.Payload)]++
						open[x.ID] = true
					}
					r.send(ack(packet.PUBREC, x.ID))
				case *packet.Ack:
					delete(open, x.ID)
					r.send(ack(packet.PUBCOMP, x.ID))
				}
			}
			if len(all) == 0 {
				r = w.dial("r", v5, resume, keep(1000), num(packet.ReceiveMaximum, 10))
			}
		}
		for i := range n {
			if got := seen[fmt.Sprint(i)]; got != 1 {
				t.Errorf("message %d came %d times", i, got)
			}
		}
	})
}

func TestMQTT_MV11_ALongWillDelayIsCapped(t *testing.T) {
	run(t, &Config{SessionExpiryMax: 10 * time.Second}, func(w *world) {
		r := w.reader("r", v5, "w")
		w.connect("p", v5, keep(1<<32-1), will("w", "x", 0, false, setNum(packet.WillDelayInterval, 1<<32-1))).Drop()
		w.Advance(9900 * time.Millisecond)
		r.want()
		w.Advance(200 * time.Millisecond)
		r.want(`PUBLISH w "x"`)
	})
}

func TestMQTT_MQ14_AcknowledgedIsNotSentAgain(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", keep(1000))
		p := w.connect("p", v5)
		for i := range uint16(300) {
			p.send(pub("a", "x", byte(1+i%2), i+1))
			for _, x := range r.packets() {
				if m := x.(*packet.Publish); m.QoS == 1 {
					r.send(ack(packet.PUBACK, m.ID))
				} else {
					r.send(ack(packet.PUBREC, m.ID))
					r.want(fmt.Sprintf("PUBREL #%d", m.ID))
					r.send(ack(packet.PUBCOMP, m.ID))
				}
			}
		}
		r.Drop()
		if _, got := w.resumes("r", v5, keep(1000)); len(got) > 0 {
			t.Errorf("sent again: %s", strings.Join(got, ", "))
		}
	})
}
