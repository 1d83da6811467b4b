package mqtt

import (
	"errors"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// What a client sent before its DISCONNECT is answered, in order, also when the
// store has it later; and its messages are routed.
func TestMQTT_MX1_WhatCameBeforeDisconnectIsAnswered(t *testing.T) {
	t.Parallel()
	for _, v := range []packet.Version{v31, v311, v5} {
		g := &gated{Store: adaptertest.NewStore()}
		runHere(t, nil, func(w *world) {
			w.reader("away", v5, "d", keep(100)).Drop()
			r := w.reader("r", v5, "d")
			p := w.connect("p", v, durably(v))
			open := g.shut()
			p.send(pub("d", "0", 0, 0), sub(1, "a", 1), pub("d", "1", 1, 2), pub("d", "2", 2, 3), pub("nobody", "x", 1, 4), bye(packet.Success), ping)
			p.want()
			p.open()
			open()
			w.Settle()
			none := ""
			if v == v5 {
				none = " 10"
			}
			p.ends("SUBACK #1 01", "PUBACK #2", "PUBREC #3", "PUBACK #4"+none)
			if why, _ := p.Closed(); why != core.Normal {
				t.Errorf("closed with %v", why)
			}
			r.want(`PUBLISH d "0"`, `PUBLISH q1 #3 d "1"`, `PUBLISH q2 #4 d "2"`)
			_, got := w.resumes("away", v5, keep(100))
			if len(got) != 2 {
				t.Errorf("the one that was away got %q", got)
			}
		}, func(o *adaptertest.Options) { o.Store = g })
	}
}

// durably makes a session that outlives its connection.
func durably(v packet.Version) connectOption {
	if v == v5 {
		return keep(100)
	}
	return resume
}

func TestMQTT_MX1_ALeavingClientHoldsNobodyUp(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		watch := w.reader("watch", v5, "will")
		p := w.connect("p", v5, keep(100), will("will", "lost", 0, false))
		open := g.shut()
		p.send(sub(1, "a", 1), bye(packet.DisconnectWithWill))
		watch.want(`PUBLISH will "lost"`) // at once, not with the close
		p.open()
		again := w.dial("p", v5, keep(100), resume)
		again.want()
		open()
		w.Settle()
		p.ends("SUBACK #1 01")
		again.want("CONNACK present " + announced)

		open = g.shut()
		again.send(sub(2, "b", 1), bye(packet.Success))
		again.Evict(core.ShuttingDown)
		again.ends() // nothing of ours that is no answer follows the client's DISCONNECT
		open()
		w.Settle()
	})
}

func TestMQTT_MX1_ALeavingClientIsKeptForAWhileOnly(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		p := w.connect("p", v5, keep(100))
		open := g.shut()
		p.send(sub(1, "a", 1), bye(packet.Success))
		w.Advance(farewell - time.Second)
		p.open()
		w.Advance(2 * time.Second)
		p.ends()
		q := w.connect("q", v5)
		q.send(retained("a", "x", 1, 1), bye(packet.Success))
		q.Drop()
		open()
		w.Settle()
		q.ends()
	})
}

func TestMQTT_MX1_WhatCouldNotBeStoredIsNotAnsweredAfterDisconnect(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		p := w.connect("p", v5, keep(100))
		open := g.shut()
		p.send(retained("a", "x", 1, 1), pub("nobody", "x", 2, 2), bye(packet.Success))
		g.Fail(errors.New("broken"))
		open()
		w.Settle()
		p.ends()
		g.Fail(nil)
	})
}
