package mqtt

import (
	"bytes"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
)

func TestMQTT_MF6_TheKeepAliveStandsStillWhileWeDoNotRead(t *testing.T) {
	store := adaptertest.NewStore()
	run(t, nil, func(w *world) {
		w.reader("away", v5, "d", keep(1000)).Drop()
		old := w.connect("old", v311, keepAliveOf(2)) // 3 s of patience
		w.Advance(1 * time.Second)
		store.Fail(core.ErrStoreClosed)
		old.send(pub("d", "x", 1, 1)) // withheld: reading stops for a second
		if !old.Paused() {
			t.Fatal("reading goes on")
		}
		old.send(ping)
		w.Advance(900 * time.Millisecond)
		old.want() // PINGRESP is withheld too
		w.Advance(200 * time.Millisecond)
		old.want("PINGRESP") // heard at 2 s, when reading went on
		w.Advance(2850 * time.Millisecond)
		old.open() // 2.95 s later
		w.Advance(150 * time.Millisecond)
		old.ends()

		still := w.connect("still", v311, keepAliveOf(2))
		for range 5 { // it publishes again as soon as it may: five seconds of pauses with nothing read
			still.send(pub("d", "x", 1, 1))
			w.Advance(1050 * time.Millisecond)
			still.open()
		}
		w.Advance(2850 * time.Millisecond)
		still.open()
		w.Advance(200 * time.Millisecond)
		still.ends()
		if r, _ := still.Closed(); r != core.IdleTimeout {
			t.Errorf("closed: %v", r)
		}
	}, failing(store))
}

func TestMQTT_MF6_AClientThatDoesNotReadIsTheAffairOfL16(t *testing.T) {
	run(t, nil, func(w *world) {
		slow := w.reader("slow", v5, "a", keepAliveOf(2))
		p := w.connect("p", v5)
		slow.Stall()
		payload := string(bytes.Repeat([]byte("x"), 10_000))
		for range 20 { // more than waits for a client before its input stops
			p.send(pub("a", payload, 0, 0))
		}
		for range 10 {
			slow.send(ping) // not read
			w.Advance(time.Second)
			slow.open()
		}
		slow.Unstall()
		if n := len(slow.recv()); n < 21 {
			t.Errorf("%d packets", n) // the messages, and answers to every PINGREQ
		}
		w.Advance(3200 * time.Millisecond)
		slow.ends("DISCONNECT 8d")
	}, func(o *adaptertest.Options) { o.Limits = adapters.Limits{WriteBuffer: 100_000} })
}

func TestMQTT_MK5_AKeepAliveWithinTheBoundIsTheClientsOwn(t *testing.T) {
	run(t, &Config{MaxKeepAlive: 10}, func(w *world) {
		for _, asked := range []uint16{1, 9, 10} {
			w.dial("p", v5, keepAliveOf(asked)).want("CONNACK " + announced)
		}
		for _, asked := range []uint16{0, 11, 65535} {
			p := w.dial("q", v5, keepAliveOf(asked))
			p.want("CONNACK 13=10 " + announced)
			w.Advance(14900 * time.Millisecond)
			p.open()
			w.Advance(200 * time.Millisecond)
			p.ends("DISCONNECT 8d")
		}
		old := w.dial("old", v311, keepAliveOf(60)) // cannot be told
		old.want("CONNACK")
		w.Advance(89900 * time.Millisecond)
		old.open()
		w.Advance(200 * time.Millisecond)
		old.ends()
	})
}

func TestTheKeepAliveOfAClientThatIsHeardWhileItStandsStill(t *testing.T) {
	t.Parallel()
	var k keepAlive
	k.start(1000, 2)
	k.stop(2000)
	k.heard(3000)
	k.stop(3500)
	k.resume(4000)
	k.resume(9000)
	if at := k.due(); at != 7000 { // 3000 and the second that stood still, and the patience
		t.Errorf("due at %d", at)
	}
	k.start(0, 0)
	k.stop(1)
	if k.resume(5); k.due() != 0 || k.expired(1<<40) {
		t.Error("a keep alive of 0 ends")
	}
}
