package mqtt

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MR1_MR2_RetainedMessages(t *testing.T) {
	run(t, nil, func(w *world) {
		live := w.reader("live", v5, "a")
		p := w.connect("p", v5)
		p.send(retained("a", "1", 0, 0), retained("a", "2", 1, 1), pub("a", "3", 0, 0))
		live.want(`PUBLISH a "1"`, `PUBLISH q1 #3 a "2"`, `PUBLISH a "3"`) // live: RETAIN 0
		r := w.connect("r", v5)
		r.send(sub(1, "a", 2))
		r.want("SUBACK #1 02", `PUBLISH q1 #1 retain a "2"`)
		p.send(retained("a", "", 1, 2))
		r.want(`PUBLISH q1 #2 a ""`) // delivered as a normal message, not stored
		s := w.connect("s", v5)
		s.send(sub(1, "a", 2))
		s.want("SUBACK #1 02")
	})
}

func TestMQTT_MR3_RetainHandling(t *testing.T) {
	run(t, nil, func(w *world) {
		w.connect("p", v5).send(retained("a", "x", 0, 0))
		r := w.connect("r", v5)
		handling := func(id uint16, h byte) *packet.Subscribe {
			return sub(id, "a", packet.NewOptions(0, false, false, h), uint32(id))
		}
		r.send(handling(1, 2))
		r.want("SUBACK #1 00")
		r.send(handling(2, 1))
		r.want("SUBACK #2 00") // subscribed before
		r.send(handling(3, 0))
		r.want("SUBACK #3 00", `PUBLISH retain a "x" id=3`)
		r.send(handling(4, 0))
		r.want("SUBACK #4 00", `PUBLISH retain a "x" id=4`) // at each SUBSCRIBE
		r.send(unsub(5, "a"), handling(6, 1))
		r.want("UNSUBACK #5 00", "SUBACK #6 00", `PUBLISH retain a "x" id=6`)
		old := w.connect("old", v311)
		old.send(sub(1, "a", 0))
		old.want("SUBACK #1 00", `PUBLISH retain a "x"`)
	})
}

func TestMQTT_MR4_SharedSubscriptionsGetNoRetained(t *testing.T) {
	run(t, nil, func(w *world) {
		w.connect("p", v5).send(retained("a", "x", 0, 0))
		r := w.connect("r", v5)
		r.send(subs(1, "$share/g/a", "$queue/a"))
		r.want("SUBACK #1 01 01")
	})
}

func TestMQTT_MR5_ManyRetainedPassTheWindow(t *testing.T) {
	run(t, nil, func(w *world) {
		const n = 3000
		p := w.connect("p", v5)
		for i := range n {
			p.send(retained(fmt.Sprintf("a/%04d", i), "x", 1, uint16(i+1)))
		}
		p.recv()
		r := w.connect("r", v5, num(packet.ReceiveMaximum, 7))
		r.send(sub(1, "a/#", 1), ping)
		got := r.packets()
		if got[0].Kind() != packet.SUBACK || got[1].Kind() != packet.PINGRESP || len(got) != 9 {
			t.Fatalf("%d packets, first %s", len(got), show(got[0]))
		}
		seen := 0
		for got = got[2:]; len(got) > 0; got = r.packets() {
			for _, x := range got {
				r.send(ack(packet.PUBACK, x.(*packet.Publish).ID))
				seen++
			}
		}
		if seen != n {
			t.Errorf("%d of %d", seen, n)
		}
	})
}

func TestMQTT_MR6_RetainedExpireAndKeepTheirProperties(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(with(retained("a", "x", 1, 1), setNum(packet.MessageExpiryInterval, 10), setStr(packet.ContentType, "t"), user("k", "v")))
		w.Advance(4 * time.Second)
		r := w.connect("r", v5)
		r.send(sub(1, "a", 0))
		r.want("SUBACK #1 00", `PUBLISH retain a "x" 02=6 03=t k:v`)
		w.Advance(7 * time.Second)
		r.send(sub(2, "a", 0))
		r.want("SUBACK #2 00")
	})
}

func TestMQTT_MR7_TheRetainedLimitRefusesTheWholePublish(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#")
		p := w.connect("p", v5)
		p.send(retained("a", "1", 1, 1), retained("b", "2", 1, 2))
		p.want("PUBACK #1", "PUBACK #2 97")
		r.want(`PUBLISH q1 #2 a "1"`)
	}, func(o *adaptertest.Options) { o.Core = func(c *core.Options) { c.Limits.Retained = 1 } })
}

// One write carries both: the loop has no second pass for it.
func TestWhatIsRetainedLeavesWithTheSuback(t *testing.T) {
	t.Parallel()
	b := newBencher(t)
	b.input(b.connect(packet.V311), retained("a/b", "kept", 0, 0).AppendTo(nil, packet.V311))
	b.input(b.connect(packet.V311), sub(1, "a/+", 0).AppendTo(nil, packet.V311))
	if want := "\x90\x03\x00\x01\x00" + "\x31\x09\x00\x03a/bkept"; string(b.out.B) != want {
		t.Errorf("%q, want %q", b.out.B, want)
	}
}
