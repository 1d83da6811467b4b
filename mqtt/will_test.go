package mqtt

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MV1_TheWillIsCheckedAtConnect(t *testing.T) {
	run(t, nil, func(w *world) {
		for _, topic := range []string{"", "a/#", "+", "a\nb"} {
			w.dial("p", v5, will(topic, "x", 0, false)).ends("CONNACK code=90")
			w.dial("p", v311, will(topic, "x", 0, false)).ends()
		}
		w.dial("p", v5, will("no", "x", 0, false)).ends("CONNACK code=87")
		w.dial("p", v311, will("no", "x", 0, false)).ends("CONNACK code=05")
	}, denying("will no"))
}

func TestMQTT_MV1_TheWillOfAMosquittoBridgeIsSetAside(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "$SYS/#")
		for _, v := range []packet.Version{v31, v311, v5} {
			w.connect("b", v, will("$SYS/broker/connection/host.b/state", "0", 1, true)).Drop()
		}
		r.want()
		for _, topic := range []string{"$SYS/broker/connection/state", "$SYS/broker/connection//state", "$SYS/broker/connection/a/b/state", "$SYS/broker/connection/a/states", "$SYS/x"} {
			w.dial("b", v5, will(topic, "0", 1, true)).ends("CONNACK code=87")
		}
		w.dial("b", v5, will("$SYS/broker/connection/+/state", "0", 1, true)).ends("CONNACK code=90")
	})
}

func TestMQTT_MV2_TheWillIsPublishedAfterAnyOtherEnd(t *testing.T) {
	for name, end := range map[string]func(w *world, p *peer){
		"socket lost":       func(_ *world, p *peer) { p.Drop() },
		"keep alive":        func(w *world, _ *peer) { w.Advance(16 * time.Second) },
		"protocol error":    func(_ *world, p *peer) { p.raw("d0 00") },
		"takeover":          func(w *world, _ *peer) { w.connect("p", v5) },
		"DISCONNECT 04":     func(_ *world, p *peer) { p.send(bye(packet.DisconnectWithWill)) },
		"DISCONNECT 80":     func(_ *world, p *peer) { p.send(bye(packet.UnspecifiedError)) },
		"MX1 unknown code":  func(_ *world, p *peer) { p.raw("e0 01 55") },
		"MX1 server's code": func(_ *world, p *peer) { p.raw("e0 01 8b") },
		"kicked":            func(_ *world, p *peer) { p.Evict(core.Kicked) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, nil, func(w *world) {
				r := w.reader("r", v5, "w")
				p := w.connect("p", v5, will("w", "gone", 1, false), keepAliveOf(10))
				end(w, p)
				r.want(`PUBLISH q1 #2 w "gone"`)
			})
		})
	}
}

func TestMQTT_MV3_APlainDisconnectDeletesTheWill(t *testing.T) {
	for _, v := range []packet.Version{v31, v311, v5} {
		t.Run(v.String(), func(t *testing.T) {
			run(t, nil, func(w *world) {
				r := w.reader("r", v5, "w")
				p := w.connect("p", v, will("w", "gone", 1, false))
				p.send(bye(packet.Success))
				p.ends()
				w.Advance(time.Hour)
				r.want()
			})
		})
	}
}

func TestMQTT_MV4_AWillDelayIsNeverEarlyAndAtMost100msLate(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "w")
		delay := setNum(packet.WillDelayInterval, 3)
		w.connect("p", v5, keep(100), will("w", "delayed", 0, false, delay)).Drop()
		w.Advance(2999 * time.Millisecond)
		r.want()
		w.Advance(101 * time.Millisecond)
		r.want(`PUBLISH w "delayed"`)
		w.Advance(200 * time.Second)
		r.want() // once published it is gone
		w.connect("q", v5, keep(1), will("w", "session end", 0, false, delay)).Drop()
		w.Advance(1100 * time.Millisecond) // the session's end is earlier
		r.want(`PUBLISH w "session end"`)
	})
}

func TestMQTT_MV5_MT3_AClientThatIsBackCancelsItsWill(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "w")
		w.connect("p", v5, keep(100), will("w", "x", 0, false, setNum(packet.WillDelayInterval, 3))).Drop()
		w.Advance(2 * time.Second)
		p, _ := w.resumes("p", v5, keep(100))
		w.Advance(10 * time.Second)
		r.want()
		p.Drop()
		w.Advance(10 * time.Second)
		r.want() // the new connection had none
	})
}

func TestMQTT_MV6_ACleanStartPublishesTheWillWhateverItsDelay(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "w")
		delay := setNum(packet.WillDelayInterval, 50)
		w.connect("p", v5, keep(100), will("w", "clean", 0, false, delay))
		w.connect("p", v5, keep(100), clean)
		r.want(`PUBLISH w "clean"`)
		w.connect("q", v5, will("w", "expiry 0", 0, false, delay))
		w.connect("q", v5, resume)
		r.want(`PUBLISH w "expiry 0"`)
		w.connect("s", v5, keep(100), will("w", "away", 0, false, delay)).Drop()
		w.connect("s", v5, clean)
		r.want(`PUBLISH w "away"`)
	})
}

func TestMQTT_MV7_ADelayedWillSurvivesARestart(t *testing.T) {
	t.Parallel()
	store := adaptertest.NewStore()
	adaptertest.Test(t, roomWith(nil), adaptertest.Options{Store: store}, func(t *testing.T, d *adaptertest.Driver) {
		w := &world{d, t}
		w.connect("p", v5, keep(1000), will("w", "x", 1, false, setNum(packet.WillDelayInterval, 3))).Drop()
	})
	adaptertest.Test(t, roomWith(nil), adaptertest.Options{Store: store}, func(t *testing.T, d *adaptertest.Driver) {
		w := &world{d, t}
		r := w.reader("r", v5, "w")
		w.Advance(29 * time.Second) // the grace after a start
		r.want()
		w.Advance(10 * time.Second)
		r.want(`PUBLISH q1 #2 w "x"`)
	})
}

func TestMQTT_MV8_OurOwnStopSendsNoWills(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "w")
		w.connect("p", v5, will("w", "x", 0, false))
		w.Router.Stop()
		w.Shutdown()
		for _, line := range r.recv() {
			if strings.HasPrefix(line, "PUBLISH") {
				t.Errorf("got %s", line)
			}
		}
	})
}

func TestMQTT_MV9_AWillGoesOutAsAPublish(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.connect("r", v5)
		r.send(sub(1, "w", packet.NewOptions(2, false, true, 0)))
		r.recv()
		p := w.connect("p", v5, keep(1000), will("w", "\x00\xff", 2, true, setNum(packet.WillDelayInterval, 5),
			setNum(packet.MessageExpiryInterval, 60), setStr(packet.ContentType, "t"), setStr(packet.ResponseTopic, "re"),
			setStr(packet.CorrelationData, "c"), user("b", "1", "a", "2", "b", "1")))
		w.Advance(30 * time.Second)
		p.Drop()
		w.Advance(5200 * time.Millisecond)
		r.want(`PUBLISH q2 #2 retain w "\x00\xff" 02=60 03=t 08=re 09=c b:1 a:2 b:1`) // expiry counts from publication
		late := w.connect("late", v5)
		late.send(sub(1, "w", 0))
		late.want("SUBACK #1 00", `PUBLISH retain w "\x00\xff" 02=60 03=t 08=re 09=c b:1 a:2 b:1`)
	})
}

func TestMQTT_MV10_AnEmptyRetainedWillClears(t *testing.T) {
	run(t, nil, func(w *world) {
		w.connect("p", v5).send(retained("w", "x", 0, 0))
		w.connect("q", v5, will("w", "", 0, true)).Drop()
		r := w.connect("r", v5)
		r.send(sub(1, "w", 0))
		r.want("SUBACK #1 00")
	})
}

func TestMQTT_MT1_MT2_TheOldConnectionIsToldAndTheNewOneFollows(t *testing.T) {
	run(t, nil, func(w *world) {
		old := w.connect("p", v5, keep(100))
		old.send(sub(1, "a", 1))
		old.recv()
		fresh, _ := w.resumes("p", v5, keep(100))
		old.ends("DISCONNECT 8e")
		v3 := w.connect("x", v311)
		w.connect("x", v311)
		v3.ends()
		w.connect("q", v5).send(pub("a", "x", 1, 1)) // MT2
		fresh.want(`PUBLISH q1 #2 a "x"`)
		third, got := w.resumes("p", v5, keep(100))
		if strings.Join(got, "|") != `PUBLISH q1 #2 dup a "x"` {
			t.Errorf("got %q", got)
		}
		third.send(ack(packet.PUBACK, 2))
		third.open()
	})
}

func TestMQTT_MT6_AConnectionThatDoesNotReadIsTakenOver(t *testing.T) {
	run(t, nil, func(w *world) {
		old := w.connect("p", v5, keep(100))
		old.Stall()
		w.resumes("p", v5, keep(100))
		if _, closed := old.Closed(); !closed {
			t.Error("the old connection is still open")
		}
	})
}

func TestMQTT_MK1_KeepAliveIsOneAndAHalfTimes(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, keepAliveOf(10))
		w.Advance(14999 * time.Millisecond)
		p.open()
		w.Advance(101 * time.Millisecond)
		p.ends("DISCONNECT 8d")
		if w.count("mqtt_keepalive_timeouts_total") != 1 {
			t.Error("not counted")
		}
		old := w.connect("old", v311, keepAliveOf(10))
		w.Advance(15100 * time.Millisecond)
		old.ends()
	})
}

func TestMQTT_MK2_MK3_OnlyCompletePacketsOfTheClientCount(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.reader("p", v5, "a", keepAliveOf(10))
		q := w.connect("q", v5)
		p.raw("30") // begins a packet that never ends
		w.Advance(2 * time.Second)
		p.raw("10")
		q.send(pub("a", "x", 0, 0)) // what we send does not count either
		w.Advance(13 * time.Second)
		if r, closed := p.Closed(); !closed || r != core.IdleTimeout {
			t.Errorf("closed %v: %v", closed, r)
		}
		s := w.connect("s", v5, keepAliveOf(10))
		for range 5 {
			w.Advance(14 * time.Second)
			s.send(ping) // MK3
			s.want("PINGRESP")
		}
		s.open()
	})
}

func TestMQTT_MK4_KeepAliveZeroNeverEnds(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		w.Advance(240 * time.Hour)
		p.open()
	})
}

func TestMQTT_MK5_TheServersKeepAliveIsEnforced(t *testing.T) {
	run(t, &Config{MaxKeepAlive: 10}, func(w *world) {
		for _, asked := range []uint16{0, 11, 65535} {
			p := w.dial("p", v5, keepAliveOf(asked))
			p.want("CONNACK 13=10 " + announced)
			w.Advance(14900 * time.Millisecond)
			p.open()
			w.Advance(200 * time.Millisecond)
			p.ends("DISCONNECT 8d")
		}
		w.dial("q", v5, keepAliveOf(9)).want("CONNACK " + announced)
		old := w.connect("old", v311, keepAliveOf(100)) // cannot be told
		w.Advance(149 * time.Second)
		old.open()
	})
}
