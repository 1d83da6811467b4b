package mqtt

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MX1_SessionExpiryInDisconnect(t *testing.T) {
	run(t, &Config{SessionExpiryMax: time.Minute}, func(w *world) {
		p := w.connect("p", v5, keep(10))
		p.raw("e0 07 00 05 11 00 00 00 1e") // 30 s
		p.ends()
		w.Advance(29 * time.Second)
		p, _ = w.resumes("p", v5, keep(10))
		p.raw("e0 07 00 05 11 ff ff ff ff") // capped silently
		p.ends()
		w.Advance(61 * time.Second)
		p = w.connect("p", v5, keep(10))
		p.raw("e0 07 00 05 11 00 00 00 00") // ends at once
		p.ends()
		w.dial("p", v5, resume).want("CONNACK " + announced)
		q := w.connect("q", v5)
		q.raw("e0 07 00 05 11 00 00 00 01")
		q.ends("DISCONNECT 82")
	})
}

func TestMQTT_MX2_WhatWeSayAtTheEnd(t *testing.T) {
	run(t, nil, func(w *world) {
		for r, want := range map[core.Reason]string{
			core.ShuttingDown: "DISCONNECT 8b", core.TakenOver: "DISCONNECT 8e", core.Kicked: "DISCONNECT 98",
			core.SlowConsumer: "DISCONNECT 97", core.LoginExpired: "DISCONNECT 87",
		} {
			p := w.connect("p", v5)
			p.Evict(r)
			p.ends(want)
			if got, _ := p.Closed(); got != r { // MX7
				t.Errorf("closed with %v, want %v", got, r)
			}
		}
	})
}

func TestMQTT_MX6_AFarewellHasAReasonString(t *testing.T) {
	run(t, nil, func(w *world) {
		for r, want := range map[core.Reason]string{core.TakenOver: "taken over", core.ShuttingDown: "shutting down", core.Kicked: "kicked"} {
			p := w.connect("p", v5)
			p.Evict(r)
			d := p.packets()[0].(*packet.Disconnect)
			if got := string(d.Properties.Str(packet.ReasonString)); got != want {
				t.Errorf("%v: %q, want %q", r, got, want)
			}
		}
		small := w.connect("p", v5, num(packet.MaximumPacketSize, 16))
		small.Evict(core.TakenOver)
		if got := hexOf(small.Recv()); got != "e0 01 8e" { // [MQTT-3.14.2-3]
			t.Errorf("got %s", got)
		}
	})
}

func TestMQTT_MX2_MX3_NothingFollowsOurDisconnect(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.reader("p", v5, "a")
		w.reader("r", v5, "b")
		p.send(pub("a", "x", 0, 0), sub(0x7fff, "$share/g/a", 4), pub("b", "never", 0, 0), ping)
		p.ends("DISCONNECT 82")
	})
}

func TestMQTT_MX4_AFaultInOneMessageNeverCloses(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, num(packet.MaximumPacketSize, 30))
		p.send(pub("no", "x", 1, 1), sub(2, "bad#", 0), sub(3, "a", 0), pub("a", strings.Repeat("x", 100), 1, 4))
		p.want("PUBACK #1 87", "SUBACK #2 8f", "SUBACK #3 00", "PUBACK #4")
		p.open()
	}, denying("publish no"))
}

func TestMQTT_MX6_ReasonStringsAreOurOwnWords(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.raw("82 07 00 01 00 00 01 61 40")
		d := p.packets()[0].(*packet.Disconnect)
		if s := string(d.Properties.Str(packet.ReasonString)); s != "MB7 reserved subscription options" {
			t.Errorf("got %q", s)
		}
	})
}

func TestMQTT_MX7_EveryCloseHasItsReason(t *testing.T) {
	run(t, nil, func(w *world) {
		for want, end := range map[core.Reason]func(p *peer){
			core.Normal:         func(p *peer) { p.send(bye(packet.Success)) },
			core.ConnectionLost: func(p *peer) { p.Drop() },
			core.Malformed:      func(p *peer) { p.raw("30 00") },
			core.ProtocolError:  func(p *peer) { p.raw("d0 00") },
			core.TooLarge:       func(p *peer) { p.raw("30 ff ff ff 7f") },
			core.BadTopic:       func(p *peer) { p.raw("30 04 00 01 2b 00") },
		} {
			p := w.connect("p", v5)
			end(p)
			if got, closed := p.Closed(); !closed || got != want {
				t.Errorf("closed %v with %v, want %v", closed, got, want)
			}
		}
		if n := w.count("protocol_errors_total", "mqtt", "malformed"); n != 1 {
			t.Errorf("protocol errors: %d", n)
		}
	})
}

func TestMQTT_MM31_WhatComesAfterDisconnectIsNotRead(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		p := w.connect("p", v5)
		p.send(bye(packet.Success), pub("a", "x", 0, 0), ping)
		p.ends()
		q := w.connect("q", v5, will("a", "lost", 0, false))
		q.raw("30 10 00 01 61")
		q.Drop()
		r.want(`PUBLISH a "lost"`)
	})
}

func TestMQTT_MM4_PacketsOfAServerFromAClient(t *testing.T) {
	run(t, nil, func(w *world) {
		for _, in := range []string{"20 03 00 00 00", "2f ff ff ff ff ff", "90 ff ff ff 7f", "b0 80 00", "d1 05 00"} {
			p := w.connect("p", v5)
			p.raw(in)
			p.ends("DISCONNECT 82")
		}
	})
}

// The log names the rule that a packet broke, also where the version has no
// word for it.
func TestMQTT_MX7_TheLogNamesTheRule(t *testing.T) {
	var b bytes.Buffer
	run(t, nil, func(w *world) {
		w.connect("p", v311).raw("30 00")
		p := &peer{Conn: w.Open(), t: t, v: v31}
		p.raw("c0 00")
		w.Settle()
		for _, want := range []string{`msg=protocol.error protocol=mqtt addr=`, `version=3.1.1 reason=malformed rule="MM2 body`, `rule="MC1 first packet`} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s lacks %s", b.String(), want)
			}
		}
	}, func(o *adaptertest.Options) {
		o.Log = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
}
