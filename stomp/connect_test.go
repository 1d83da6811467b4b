package stomp

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestSTOMP_ST12_TheFirstFrameMustConnectAndOnlyOnce(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.dial()
		p.say("STOMP", "accept-version:1.2")
		p.one("CONNECTED")
		p.say("CONNECT", "accept-version:1.2")
		p.errorFrame("Illegal command")

		p = w.dial()
		p.say("SEND", "destination:/topic/a", "receipt:1", "", "x")
		p.errorFrame("Illegal command")
	})
}

func TestSTOMP_ST2_AnUnknownCommandIsNamed(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, cmd := range []string{"BOGUS", "send"} {
			p := w.connect("1.2")
			p.write(cmd + "\n")
			if f := p.errorFrame("Bad command"); f.body != "Could not interpret command \""+cmd+"\"\n" {
				t.Errorf("body %q", f.body)
			}
		}
		p := w.connect("1.2") // a command that only servers send
		p.say("MESSAGE", "destination:a")
		p.errorFrame("Bad command")
	})
}

func TestSTOMP_ST13_TheHighestCommonVersionIsSpoken(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for accept, want := range map[string]string{
			"": "1.0", "1.0": "1.0", "1.0,1.1": "1.1", "1.2,1.1,1.0": "1.2", "1.1,2.0": "1.1", " 1.2 ": "1.2",
		} {
			p := w.dial()
			if accept == "" {
				p.say("CONNECT", "login:user", "passcode:secret")
			} else {
				p.say("CONNECT", "accept-version:"+accept)
			}
			if f := p.one("CONNECTED"); f.header["version"] != want {
				t.Errorf("%q: %v", accept, f)
			}
		}
		p := w.dial()
		p.say("CONNECT", "accept-version:2.0,3.1")
		f := p.errorFrame("Version mismatch")
		if f.header["version"] != "1.0,1.1,1.2" || f.body != "Supported versions are 1.0,1.1,1.2\n" {
			t.Errorf("%v", f)
		}
	})
}

func TestSTOMP_ST14_AnUnknownHostIsTheDefaultUnlessAVhostWasMeant(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, host := range []string{"", "/", "127.0.0.1", "broker.example", "default", "/default"} {
			p := w.dial()
			p.say("CONNECT", "accept-version:1.2", "host:"+host)
			p.one("CONNECTED")
		}
		p := w.dial()
		p.say("CONNECT", "accept-version:1.2", "host:/other")
		if f := p.errorFrame("Bad CONNECT"); f.body != "Virtual host '/other' access denied\n" {
			t.Errorf("%q", f.body)
		}
	})
}

func TestSTOMP_ST14_StrictHostRefusesAnyUnknownOne(t *testing.T) {
	cfg := DefaultConfig()
	cfg.StrictHost = true
	in(t, cfg, func(w *world) {
		p := w.dial()
		p.say("CONNECT", "accept-version:1.2", "host:127.0.0.1")
		p.errorFrame("Bad CONNECT")
	})
}

func TestSTOMP_ST15_CONNECTEDNamesServerSessionAndVersion(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.dial()
		p.say("CONNECT", "accept-version:1.2", "heart-beat:0,0", "receipt:ignored")
		f := p.one("CONNECTED")
		if f.order != "server session heart-beat version" || f.header["server"] != "entrepot/test" ||
			!strings.HasPrefix(f.header["session"], "session-") || f.header["heart-beat"] != "0,0" {
			t.Errorf("%v, order %q", f, f.order)
		}
	})
}

func TestSTOMP_ST16_ABadLoginIsRefusedAndTellsNothing(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, user := range []string{"user", "nobody"} {
			p := w.dial()
			p.say("CONNECT", "accept-version:1.2", "login:"+user, "passcode:wrong")
			if f := p.errorFrame("Bad CONNECT"); f.body != "Access refused for user '"+user+"'\n" {
				t.Errorf("%q", f.body)
			}
			if p.reason != core.NotAuthenticated {
				t.Errorf("reason %v", p.reason)
			}
		}
	})
}

func TestSTOMP_ST4_ALoginWithABackslashStaysAsSent(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.dial()
		p.say("CONNECT", "accept-version:1.2", `login:dom\nuser`, "passcode:x")
		if f := p.errorFrame("Bad CONNECT"); f.body != "Access refused for user 'dom\\nuser'\n" {
			t.Errorf("%q", f.body)
		}
	})
}

func TestSTOMP_FramesBehindCONNECTWaitForTheLogin(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.dial()
		p.write("CONNECT\naccept-version:1.2\nlogin:user\npasscode:secret\n\n\x00\nSUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:r\n\n\x00")
		got := p.frames()
		if len(got) != 2 || got[0].cmd != "CONNECTED" || got[1].header["receipt-id"] != "r" {
			t.Fatalf("%v", got)
		}
	})
}

func TestSTOMP_ST10_BeforeLoginAFrameIsAtMost64KiB(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.dial()
		p.write("CONNECT\naccept-version:1.2\n\n" + strings.Repeat("\n", 65<<10))
		p.errorFrame("Invalid frame")
	})
}

func TestSTOMP_TheLoginMustCompleteInTime(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.dial()
		p.write("CONNECT\n")
		w.pass(4999 * time.Millisecond)
		p.none()
		w.pass(time.Millisecond)
		p.errorFrame("Idle")
	})
}

func TestSTOMP_ST21_DISCONNECTIsAnsweredAfterEverythingBefore(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.write("SEND\ndestination:/queue/q\nreceipt:1\n\nx\x00DISCONNECT\nreceipt:2\n\n\x00SEND\ndestination:/queue/q\nreceipt:3\n\ny\x00")
		p.receipts("1", "2")
		if !p.closed || p.reason != core.Normal {
			t.Errorf("closed %v, %v", p.closed, p.reason)
		}
		p = w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/queue/q")
		p.bodies("x")
		p.say("DISCONNECT")
		p.none()
		if !p.closed || p.reason != core.Normal {
			t.Errorf("closed %v, %v", p.closed, p.reason)
		}
	})
}

func TestSTOMP_EvictionSaysWhy(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for r, message := range map[core.Reason]string{
			core.ShuttingDown: "Server shutdown", core.SlowConsumer: "Slow consumer", core.Kicked: "access_refused",
		} {
			p := w.connect("1.2")
			p.Evict(r)
			p.errorFrame(message)
		}
	})
}

func TestSTOMP_U6_AClientIDThatOthersCannotCarryIsRefused(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, id := range []string{"a/+", "a#", "a\x01b", "a\u0085", "a\xff"} {
			p := w.dial()
			p.say("CONNECT", "accept-version:1.2", "client-id:"+id)
			p.errorFrame("Bad CONNECT")
		}
		p := w.dial()
		p.say("CONNECT", "accept-version:1.2", "client-id:a/b.c-\u00e9")
		p.one("CONNECTED")
	})
}
