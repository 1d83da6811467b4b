package mqtt

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// What CONNACK of 5.0 says by default.
const announced = "21=1024 22=64 27=16777216"

func TestMQTT_MC1_MM7_AnyOtherFirstPacketCloses(t *testing.T) {
	run(t, nil, func(w *world) {
		for _, in := range []string{"c0 00", "e0 00", "f0 00", "30 03 00 01 61", "20 02 00 00", "16 03 01 00 a5", "00 00"} {
			p := &peer{Conn: w.Open(), t: t, v: v5}
			p.raw(in)
			p.ends()
		}
	})
}

func TestMQTT_MC2_ASecondConnectIsAProtocolError(t *testing.T) {
	run(t, nil, func(w *world) {
		watch := w.connect("watch", v5)
		watch.send(sub(1, "w", 0))
		watch.recv()
		p := w.connect("p", v5, will("w", "gone", 0, false))
		p.send(&packet.Connect{Version: v5, ClientID: []byte("p")})
		p.ends("DISCONNECT 82")
		watch.want(`PUBLISH w "gone"`) // the will follows MV2
		old := w.connect("old", v311)
		old.send(&packet.Connect{Version: v311, ClientID: []byte("old")})
		old.ends()
	})
}

func TestMQTT_MC3_AnotherProtocolNameCloses(t *testing.T) {
	run(t, nil, func(w *world) {
		for _, in := range []string{
			"10 0c 00 00 05 02 00 3c 00 00 01 61 00 00", "10 0e 00 04 4d 51 54 55 05 02 00 3c 00 00 01 61",
			"10 0e 00 04 6d 71 74 74 05 02 00 3c 00 00 01 61", "10 07 00 04 4d 51 54 54 05",
		} {
			p := &peer{Conn: w.Open(), t: t, v: v5}
			p.raw(in)
			p.ends()
		}
	})
}

func TestMQTT_MC4_AnUnknownLevelIsToldTheCode(t *testing.T) {
	run(t, nil, func(w *world) {
		for in, want := range map[string]string{
			"10 0d 00 04 4d 51 54 54 03 02 00 3c 00 01 61":       "20 02 00 01",
			"10 0f 00 06 4d 51 49 73 64 70 04 02 00 3c 00 01 61": "20 02 00 01",
			"10 0d 00 04 4d 51 54 54 06 02 00 3c 00 01 61":       "20 03 00 84 00",
			"10 0d 00 04 4d 51 54 54 85 02 00 3c 00 01 61":       "20 03 00 84 00",
			"10 0d 00 04 4d 51 54 54 00 02 00 3c 00 01 61":       "20 03 00 84 00",
		} {
			p := &peer{Conn: w.Open(), t: t, v: v5}
			p.raw(in)
			if got := hexOf(p.Recv()); got != want {
				t.Errorf("%s: got %s, want %s", in, got, want)
			}
			if _, closed := p.Closed(); !closed {
				t.Errorf("%s: still open", in)
			}
		}
	})
}

func TestMQTT_MC4_AVersionThatIsSwitchedOffIsRefused(t *testing.T) {
	run(t, &Config{Versions: []string{"3.1.1"}}, func(w *world) {
		w.dial("a", v5).ends("CONNACK code=84")
		w.dial("a", v31).ends("CONNACK code=01")
		w.connect("a", v311)
	})
}

func TestMQTT_MC5_MC6_MC7_FlagsAndFieldsMustFit(t *testing.T) {
	run(t, nil, func(w *world) {
		for _, in := range []string{
			"10 0e 00 04 4d 51 54 54 05 03 00 3c 00 00 01 61",                   // reserved bit
			"10 0e 00 04 4d 51 54 54 05 0a 00 3c 00 00 01 61",                   // will QoS without will
			"10 14 00 04 4d 51 54 54 05 1e 00 3c 00 00 01 61 00 00 01 77 00 00", // will QoS 3
			"10 0e 00 04 4d 51 54 54 05 82 00 3c 00 00 01 61",                   // user name missing
			"10 11 00 04 4d 51 54 54 05 02 00 3c 00 00 01 61 00 01 75",          // left over
		} {
			p := &peer{Conn: w.Open(), t: t, v: v5}
			p.raw(in)
			p.ends("CONNACK code=81")
		}
		old := &peer{Conn: w.Open(), t: t, v: v311}
		old.raw("10 10 00 04 4d 51 54 54 04 42 00 3c 00 01 61 00 01 70") // password alone
		old.ends()
		w.connect("five", v5, func(c *packet.Connect) { c.HasPassword, c.Password = true, []byte("p") })
		w.connect("empty", v311, func(c *packet.Connect) { c.HasUserName, c.HasPassword = true, true })
	})
}

func TestMQTT_MC8_ABadClientIDOrUserNameIsRefused(t *testing.T) {
	run(t, nil, func(w *world) {
		for _, id := range []string{"a+b", "a#", "a\nb", "a\u0085", "\xff", strings.Repeat("x", 1025)} {
			w.dial(id, v5).ends("CONNACK code=85")
			w.dial(id, v311).ends("CONNACK code=02")
		}
		name := func(s string) connectOption {
			return func(c *packet.Connect) { c.HasUserName, c.UserName = true, []byte(s) }
		}
		w.dial("a", v5, name("\xff")).ends("CONNACK code=81")
		w.dial("a", v5, name("a\tb")).ends("CONNACK code=86")
		w.dial("a", v5, name(strings.Repeat("u", 1025))).ends("CONNACK code=86")
		w.dial("a", v311, name("a\tb")).ends("CONNACK code=04")
		w.dial("a", v5, will("\xff", "", 0, false)).ends("CONNACK code=81")
	})
}

func TestMQTT_MC9_IdentifiersOfLettersAndDigitsAreTaken(t *testing.T) {
	run(t, nil, func(w *world) {
		const all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		for n := 1; n <= 23; n++ {
			w.connect(all[n:2*n], v311)
		}
		w.connect(all[40:], v5)
		w.connect(strings.Repeat("l", 1024), v31)
	})
}

func TestMQTT_MC10_AnEmptyIDGetsOne(t *testing.T) {
	run(t, nil, func(w *world) {
		id := regexp.MustCompile(`^CONNACK 12=([A-Za-z0-9_-]{22}) ` + announced + `$`)
		seen := map[string]bool{}
		for _, opt := range []connectOption{clean, resume, clean} {
			got := w.dial("", v5, opt).recv()
			m := id.FindStringSubmatch(got[0])
			if m == nil || seen[m[1]] {
				t.Fatalf("got %q", got)
			}
			seen[m[1]] = true
		}
		w.dial("", v311).want("CONNACK")
		w.dial("", v311, resume).ends("CONNACK code=02")
		w.dial("", v31).ends("CONNACK code=02")
	})
}

// owned lets nobody in but by identifiers of its own.
type owned struct{ mine string }

func (o owned) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	if c.ClientID != "" && c.ClientID != o.mine { // as the chain does: who brings none may have any rights that need none
		return nil, core.BadClientID
	}
	return &core.Principal{Namespace: core.DefaultNamespace, User: c.User, ClientID: c.ClientID}, core.OK
}

// An identifier that the server assigns is one that the user has to be allowed, in every version (SECURITY U9).
func TestSecurity_U9_WhoMayHaveOneIdentifierGetsNoOther(t *testing.T) {
	run(t, nil, func(w *world) {
		w.dial("mine", v311).want("CONNACK")
		w.dial("", v311).ends("CONNACK code=02")
		w.dial("", v5).ends("CONNACK code=85")
	}, func(o *adaptertest.Options) { o.Auth = owned{"mine"} })
}

func TestMQTT_MC10_AssignedIDsCanBeResumed(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.dial("", v5, keep(60))
		ack := p.packets()[0].(*packet.Connack)
		id := string(ack.Properties.Str(packet.AssignedClientID))
		p.Drop()
		w.resumes(id, v5, keep(60))
	})
}

func TestMQTT_MC10_EmptyIDsCanBeSwitchedOff(t *testing.T) {
	off := false
	run(t, &Config{AllowZeroLengthClientID: &off}, func(w *world) {
		w.dial("", v5).ends("CONNACK code=85")
	})
}

// login knows passwords. A slow one answers after takes.
type login struct {
	takes time.Duration
	users map[string]string
}

func (l login) Authenticate(ctx context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	if l.takes > 0 {
		select {
		case <-time.After(l.takes):
		case <-ctx.Done():
			return nil, core.Busy
		}
	}
	if l.users != nil && l.users[c.User] != string(c.Password) {
		return nil, core.NotAuthenticated
	}
	return &core.Principal{Namespace: core.DefaultNamespace, User: c.User}, core.OK
}

func authBy(l login) func(*adaptertest.Options) {
	return func(o *adaptertest.Options) { o.Auth = l }
}

func as(user, password string) connectOption {
	return func(c *packet.Connect) {
		c.HasUserName, c.UserName, c.HasPassword, c.Password = true, []byte(user), true, []byte(password)
	}
}

func TestMQTT_MC11_AuthenticationPrecedesTheSession(t *testing.T) {
	run(t, nil, func(w *world) {
		held := w.connect("id", v5, keep(60), as("u", "right"))
		w.dial("id", v5, as("u", "wrong")).ends("CONNACK code=86")
		w.dial("id", v311, as("u", "wrong")).ends("CONNACK code=04")
		held.open() // a failed login touches no session
		held.want()
	}, authBy(login{users: map[string]string{"u": "right"}}))
}

func TestMQTT_MT5_AnotherPrincipalHasItsOwnSession(t *testing.T) {
	run(t, nil, func(w *world) {
		first := w.connect("id", v5, keep(60), as("u", "1"))
		w.dial("id", v5, resume, as("v", "2")).want("CONNACK " + announced)
		first.open()
	}, authBy(login{users: map[string]string{"u": "1", "v": "2"}}))
}

func TestMQTT_MC12_PacketsBehindConnectWait(t *testing.T) {
	run(t, nil, func(w *world) {
		p := &peer{Conn: w.Open(), t: t, v: v5}
		p.send(&packet.Connect{Version: v5, CleanStart: true, ClientID: []byte("p")}, sub(1, "a", 0), pub("a", "x", 0, 0), ping)
		p.want()
		if !p.Paused() {
			t.Error("reading goes on during the login")
		}
		w.Advance(time.Second)
		p.want("CONNACK "+announced, "SUBACK #1 00", "PINGRESP", `PUBLISH a "x"`)
	}, func(o *adaptertest.Options) { o.Auth = login{takes: time.Second} })
}

func TestMQTT_MC12_NothingIsProcessedWhenConnectIsRefused(t *testing.T) {
	run(t, nil, func(w *world) {
		watch := w.connect("watch", v5, as("u", "right"))
		watch.send(sub(1, "#", 0))
		watch.recv()
		p := &peer{Conn: w.Open(), t: t, v: v5}
		c := &packet.Connect{Version: v5, CleanStart: true, ClientID: []byte("p")}
		as("u", "wrong")(c)
		p.send(c, pub("a", "x", 0, 0))
		p.ends("CONNACK code=86")
		watch.want()
	}, authBy(login{users: map[string]string{"u": "right"}}))
}

func TestMQTT_MC12_ALoginThatTakesTooLongIsCut(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.dial("p", v5)
		w.Advance(w.Host.Limits.PreauthExchange + time.Second)
		if _, closed := p.Closed(); !closed {
			t.Error("still open")
		}
	}, func(o *adaptertest.Options) { o.Auth = login{takes: time.Hour} })
}

func TestMQTT_MC20_ConnackTellsWhatDiffers(t *testing.T) {
	no, one, zero := false, 1, 0
	run(t, &Config{
		MaxQoS: &one, RetainAvailable: &no, WildcardAvailable: &no, SharedAvailable: &no, TopicAliasMaximum: &zero,
		ReceiveMaximum: 65535, MaxKeepAlive: 30, ResponseInformation: "resp/{client}/",
	}, func(w *world) {
		w.dial("p", v5, num(packet.RequestResponseInfo, 1), keepAliveOf(31)).
			want("CONNACK 13=30 1a=resp/p/ 24=1 25=0 27=16777216 28=0 2a=0")
		w.dial("q", v5, keepAliveOf(30)).want("CONNACK 24=1 25=0 27=16777216 28=0 2a=0")
	})
}

func TestMQTT_MI1_ResponseInformationNeedsTheRight(t *testing.T) {
	run(t, &Config{ResponseInformation: "resp/{client}/"}, func(w *world) {
		w.dial("p", v5, num(packet.RequestResponseInfo, 1)).want("CONNACK " + announced)
		w.dial("q", v5, num(packet.RequestResponseInfo, 1)).want("CONNACK 1a=resp/q/ " + announced)
		w.dial("r", v5).want("CONNACK " + announced)
	}, denying("subscribe resp/p/#"))
}

func TestMQTT_MC22_TheReasonStringIsLeftOutWhenItIsTooLarge(t *testing.T) {
	run(t, nil, func(w *world) {
		bad := func(size uint32) *peer {
			return w.dial("a+b", v5, num(packet.MaximumPacketSize, size))
		}
		full := bad(200).Recv()
		bare := bad(20).Recv()
		if len(full) <= 20 || hexOf(bare) != "20 03 00 85 00" {
			t.Errorf("% x, then % x", full, bare)
		}
		if none := bad(4).Recv(); len(none) > 0 {
			t.Errorf("sent % x to a client that takes 4 bytes", none)
		}
		p := w.dial("p", v5, num(packet.MaximumPacketSize, 16))
		p.recv()
		p.raw("30 03 00 01 2b") // needs a reason, without its string
		if got := hexOf(p.Recv()); got != "e0 01 81" && got != "e0 01 90" {
			t.Errorf("got %s", got)
		}
		w.dial("t", v5, num(packet.MaximumPacketSize, 5)).ends("CONNACK code=95") // its CONNACK 00 would be larger
		w.dial("t", v5, num(packet.MaximumPacketSize, 4)).ends()
	})
}

func TestMQTT_MC24_AConnectBeyondTheAllowanceIsToldItsCode(t *testing.T) {
	run(t, nil, func(w *world) {
		p := &peer{Conn: w.Open(), t: t, v: v5}
		p.raw("10 ff ff 7f 00 04 4d 51 54 54")
		p.want()
		p.raw("05")
		p.ends("CONNACK code=95")
		old := &peer{Conn: w.Open(), t: t, v: v311}
		old.raw("10 ff ff 7f 00 04 4d 51 54 54 04")
		old.ends()
	})
}

func TestMQTT_26_BridgesSetTheHighBit(t *testing.T) {
	run(t, nil, func(w *world) {
		b := w.connect("b", v311, func(c *packet.Connect) { c.Bridge = true })
		b.send(sub(1, "a", 0))
		b.want("SUBACK #1 00")
		b.send(pub("a", "own", 0, 0))
		b.want() // No Local
		w.connect("p", v5).send(retained("a", "x", 0, 0))
		b.want(`PUBLISH retain a "x"`) // Retain As Published
	})
}

func TestMQTT_26_TheBridgeBitCanBeSwitchedOff(t *testing.T) {
	off := false
	run(t, &Config{BridgeBit: &off}, func(w *world) {
		w.dial("b", v311, func(c *packet.Connect) { c.Bridge = true }).ends("CONNACK code=01")
	})
}

func hexOf(b []byte) string {
	var s strings.Builder
	for i, x := range b {
		if i > 0 {
			s.WriteByte(' ')
		}
		const digits = "0123456789abcdef"
		s.WriteByte(digits[x>>4])
		s.WriteByte(digits[x&15])
	}
	return s.String()
}

// The Will QoS and Will Retain of 3.1 are disregarded without a will; a will
// of QoS 3 is not.
func TestMQTT_26_WillFlagsWithoutAWillIn31(t *testing.T) {
	run(t, nil, func(w *world) {
		p := &peer{Conn: w.Open(), t: t, v: v31}
		p.raw("10 0f 00 06 4d 51 49 73 64 70 03 2a 00 3c 00 01 61")
		p.want("CONNACK")
		p = &peer{Conn: w.Open(), t: t, v: v31}
		p.raw("10 14 00 06 4d 51 49 73 64 70 03 1e 00 3c 00 01 61 00 01 77 00 00")
		p.ends()
	})
}

// The client's Maximum Packet Size holds for the CONNACK that refuses what
// stands behind it, and never one of a CONNECT before.
func TestMQTT_MC22_ARefusalOfAMalformedConnectFits(t *testing.T) {
	run(t, nil, func(w *world) {
		const small = "10 19 00 04 4d 51 54 54 05 06 00 3c 05 27 00 00 00 14 00 01 61 00 00 01 23 00 00" // will topic #, 20 bytes at most
		p := &peer{Conn: w.Open(), t: t, v: v5}
		p.raw(small)
		if got := hexOf(p.Recv()); got != "20 03 00 90 00" {
			t.Errorf("got %s", got)
		}
		q := &peer{Conn: w.Open(), t: t, v: v5}
		q.raw("10 0e 00 04 4d 51 54 54 05 03 00 3c 00 00 01 61")
		if got := q.Recv(); len(got) < 20 {
			t.Errorf("without its Reason String: % x", got)
		}
	})
}
