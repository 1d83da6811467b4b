package stomp

import (
	"strings"
	"testing"
	"time"
)

func TestSTOMP_ST17_HeartBeatsAreTheLargerOfBothSides(t *testing.T) {
	cfg := DefaultConfig()
	cfg.HeartbeatSend, cfg.HeartbeatReceive = 2*time.Second, 3*time.Second
	in(t, cfg, func(w *world) {
		for header, want := range map[string]string{"1000,1000": "2000,3000", "0,5000": "2000,0", "5000,0": "0,3000", "0,0": "0,0"} {
			p := w.dial()
			p.say("CONNECT", "accept-version:1.2", "heart-beat:"+header)
			if f := p.one("CONNECTED"); f.header["heart-beat"] != want {
				t.Errorf("%s: %v, want %s", header, f.header["heart-beat"], want)
			}
		}
		p := w.dial()
		p.say("CONNECT", "accept-version:1.2", "heart-beat:1000,5000")
		w.settle()
		if b := p.conn.(*conn).beat; b.receive != 3*time.Second || b.send != 5*time.Second {
			t.Errorf("agreed on %v in, %v out", b.receive, b.send)
		}
	})
}

func TestSTOMP_ST17_MalformedHeartBeatsAreRefused(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, header := range []string{"1", "a,b", "-1,0", "1,2,3", "", "99999999999,0"} {
			p := w.dial()
			p.say("CONNECT", "accept-version:1.2", "heart-beat:"+header)
			p.errorFrame("Bad CONNECT")
		}
	})
}

func TestSTOMP_ST18_TheServerBeatsWithinTheInterval(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2", "heart-beat:0,500")
		p.raw = nil
		w.pass(5 * time.Second)
		if n := strings.Count(string(p.raw), "\n"); n < 10 || n > 14 || len(p.raw) != n {
			t.Errorf("%d LF in 5 s, %d octets", n, len(p.raw))
		}
	})
}

func TestSTOMP_ST18_ASilentClientIsClosedAfterTwiceTheInterval(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2", "heart-beat:100,0")
		for range 5 {
			w.pass(199 * time.Millisecond)
			p.write("\n")
		}
		w.pass(199 * time.Millisecond)
		p.none()
		w.pass(time.Millisecond)
		p.errorFrame("Idle")
	})
}

func TestSTOMP_ST19_ST70_AClientWithoutHeartBeatsIdlesForADay(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.dial()
		p.say("CONNECT", "host:127.0.0.1")
		p.one("CONNECTED")
		p.say("SUBSCRIBE", "destination:/topic/a")
		w.pass(24 * time.Hour)
		p.none()
		w.connect("1.2").say("SEND", "destination:/topic/a", "", "still here")
		p.bodies("still here")
	})
}

func TestSTOMP_ST19_AnIdleTimeoutCanBeSet(t *testing.T) {
	cfg := DefaultConfig()
	cfg.IdleTimeout = time.Minute
	in(t, cfg, func(w *world) {
		p := w.connect("1.2")
		w.pass(time.Minute)
		p.errorFrame("Idle")
	})
}
