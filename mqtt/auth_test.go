package mqtt

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// says is an authenticator with the methods TALK and MUTE, which offers none
// on Unix sockets. What the client sends in TALK is what it is told to do.
type says struct {
	lasts time.Duration // of a login; 0: for ever
	roles []string
	ended *atomic.Int32 // steps whose context ended
}

func (says) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	if string(c.Password) != "right" {
		return nil, core.NotAuthenticated
	}
	return &core.Principal{User: c.User}, core.OK
}

func (says) Methods(c adapters.Credentials) []string {
	if c.Addr == "unix" {
		return nil
	}
	return []string{"TALK", "MUTE"}
}

func (s *says) Begin(string, adapters.Credentials) adapters.Conversation { return s }

func (s *says) Step(ctx context.Context, data []byte) adapters.Answer {
	word, rest, _ := strings.Cut(string(data), " ")
	switch word {
	case "": // nothing was sent
		return adapters.Answer{}
	case "am":
		p := &core.Principal{User: rest, Roles: s.roles}
		if s.lasts > 0 {
			p.Expires = time.Now().Add(s.lasts)
		}
		return adapters.Answer{Principal: p, Data: []byte("hello " + rest)}
	case "mute":
		return adapters.Answer{Principal: &core.Principal{User: rest}}
	case "slow":
		time.Sleep(time.Second)
	case "stuck":
		<-ctx.Done()
		s.ended.Add(1)
	case "fail":
		for _, r := range core.Reasons() {
			if r.String() == rest {
				return adapters.Answer{Reason: r}
			}
		}
	}
	return adapters.Answer{Data: []byte("and " + string(data))}
}

func talking(s *says) func(*adaptertest.Options) {
	if s.ended == nil {
		s.ended = new(atomic.Int32)
	}
	return func(o *adaptertest.Options) { o.Auth = s }
}

// method makes a CONNECT name a method and send data along.
func method(name string, data ...string) connectOption {
	return func(c *packet.Connect) { authProperties(&c.Properties, name, data) }
}

func authProperties(p *packet.Properties, method string, data []string) {
	if method != "" {
		p.SetStr(packet.AuthenticationMethod, []byte(method))
	}
	for _, d := range data {
		p.SetStr(packet.AuthenticationData, []byte(d))
	}
}

func auth(code packet.Code, method string, data ...string) *packet.Auth {
	a := &packet.Auth{Code: code}
	authProperties(&a.Properties, method, data)
	return a
}

const (
	more  = packet.ContinueAuthentication
	again = packet.ReAuthenticate
)

// talked is a client that has logged in by TALK.
func (w *world) talked(id, user string, opts ...connectOption) *peer {
	w.t.Helper()
	p := w.dial(id, v5, append(opts, method("TALK", "am "+user))...)
	p.want("CONNACK 15=TALK 16=hello " + user + " " + announced)
	return p
}

func (w *world) exchanges(method, result string) uint64 {
	return w.count("mqtt_auth_exchanges_total", method, result)
}

func named(user, password string) connectOption {
	return func(c *packet.Connect) {
		c.HasUserName, c.UserName = true, []byte(user)
		c.HasPassword, c.Password = true, []byte(password)
	}
}

func TestMQTT_ME1_AMethodThatIsNotOfferedIsRefused(t *testing.T) {
	run(t, &Config{AuthMethods: []string{"TALK", "OTHER"}}, func(w *world) {
		for _, m := range []string{"MUTE", "OTHER", "SCRAM-SHA-256", "talk", "TALK ", ""} {
			w.dial("p", v5, func(c *packet.Connect) { c.Properties.SetStr(packet.AuthenticationMethod, []byte(m)) }).ends("CONNACK code=8c")
		}
		unix := &peer{Conn: w.Open(func(i *adapters.Info) { i.Remote = netip.AddrPort{} }), t: t, v: v5} // U3
		c := &packet.Connect{Version: v5, CleanStart: true, ClientID: []byte("p")}
		method("TALK", "am u")(c)
		unix.send(c)
		unix.ends("CONNACK code=8c")
		if n := w.exchanges("other", "unsupported"); n != 7 {
			t.Errorf("%d counted", n)
		}
	}, talking(&says{}))
}

func TestMQTT_ME1_WithoutUsersOrMethodsNoneIsOffered(t *testing.T) {
	run(t, nil, func(w *world) { w.dial("p", v5, method("SCRAM-SHA-256", "x")).ends("CONNACK code=8c") })
}

func TestMQTT_ME1_AnEmptyListOffersNone(t *testing.T) {
	run(t, &Config{AuthMethods: []string{}}, func(w *world) { w.dial("p", v5, method("TALK", "am u")).ends("CONNACK code=8c") }, talking(&says{}))
}

func TestMQTT_ME1_MM11_DataWithoutAMethodIsAProtocolError(t *testing.T) {
	run(t, &Config{AuthMethods: []string{"TALK"}}, func(w *world) {
		w.dial("p", v5, method("", "am u")).ends("CONNACK code=82")
		p := w.talked("p", "u")
		p.send(auth(again, "", "am u"))
		p.ends("DISCONNECT 82")
	}, talking(&says{}))
}

var talk = &Config{AuthMethods: []string{"TALK"}}

func TestMQTT_ME2_MC20_AnExchangeEndsInConnack(t *testing.T) {
	run(t, talk, func(w *world) {
		p := w.dial("p", v5, method("TALK", "one"))
		p.want("AUTH 18 15=TALK 16=and one")
		if p.Authenticated() {
			t.Error("counted as logged in")
		}
		p.send(auth(more, "TALK", "two"))
		p.want("AUTH 18 15=TALK 16=and two")
		p.send(auth(more, "TALK", "am u"))
		p.want("CONNACK 15=TALK 16=hello u " + announced)
		p.send(ping)
		p.want("PINGRESP")

		asked := w.dial("q", v5, method("TALK")) // no data: it is asked for
		asked.want("AUTH 18 15=TALK")
		asked.send(auth(more, "TALK", "mute u"))
		asked.want("CONNACK 15=TALK " + announced) // no last word
		if n := w.exchanges("TALK", "success"); n != 2 {
			t.Errorf("%d counted", n)
		}
		w.connect("r", v5, named("u", "right")) // ME4: no method, nothing of it in CONNACK
	}, talking(&says{}))
}

func TestMQTT_ME2_AFailureIsToldByConnack(t *testing.T) {
	run(t, talk, func(w *world) {
		for reason, code := range map[core.Reason]string{
			core.NotAuthenticated: "86", core.NotAuthorized: "87", core.BadClientID: "85", core.Busy: "89", core.Unavailable: "88", core.ProtocolError: "82", core.Internal: "80",
		} {
			w.dial("p", v5, method("TALK", "fail "+reason.String())).ends("CONNACK code=" + code)
			p := w.dial("p", v5, method("TALK", "one"))
			p.want("AUTH 18 15=TALK 16=and one")
			p.send(auth(more, "TALK", "fail "+reason.String()))
			p.ends("CONNACK code=" + code)
		}
		if d, f, p := w.exchanges("TALK", "denied"), w.exchanges("TALK", "failed"), w.exchanges("TALK", "protocol"); d != 6 || f != 6 || p != 2 {
			t.Errorf("%d denied, %d failed, %d protocol", d, f, p)
		}
	}, talking(&says{}))
}

func TestMQTT_ME3_WhatAnAuthMayNotSayBeforeConnack(t *testing.T) {
	run(t, talk, func(w *world) {
		for what, a := range map[string]*packet.Auth{
			"no method": auth(more, "", "am u"), "no properties": auth(more, ""), "another": auth(more, "MUTE", "am u"), "another case": auth(more, "talk", "am u"),
			"00": auth(packet.Success, "TALK", "am u"), "19": auth(again, "TALK", "am u"), "a failure": auth(packet.NotAuthorized, "TALK"),
		} {
			p := w.dial("p", v5, method("TALK", "one"))
			p.want("AUTH 18 15=TALK 16=and one")
			p.send(a)
			t.Log(what)
			p.ends("CONNACK code=82")
		}
		p := w.dial("p", v5, method("TALK", "one"))
		p.raw("f0 00") // length 0 is 00
		p.ends("AUTH 18 15=TALK 16=and one", "CONNACK code=82")
		p = w.dial("p", v5, method("TALK", "one"))
		p.raw("f1 00") // MM1
		p.ends("AUTH 18 15=TALK 16=and one", "CONNACK code=81")
		p = w.dial("p", v5, method("TALK", "one"))
		p.raw("f0 ff ff 7f") // L3
		p.ends("AUTH 18 15=TALK 16=and one", "CONNACK code=95")
	}, talking(&says{}))
}

func TestMQTT_ME3_RoundsAreBounded(t *testing.T) {
	run(t, talk, func(w *world) {
		p := w.dial("p", v5, method("TALK", "x"))
		got := p.recv()
		for n := 0; n < 100 && len(got) == 1 && got[0] == "AUTH 18 15=TALK 16=and x"; n++ {
			p.send(auth(more, "TALK", "x"))
			got = p.recv()
		}
		if len(got) != 1 || got[0] != "CONNACK code=82" {
			t.Errorf("ended by %q", got)
		}
		w.dial("p", v5, method("TALK", strings.Repeat("x", 20_000))).ends("CONNACK code=86")

		q := w.talked("q", "u")
		q.send(auth(more, "TALK", "am u")) // one more than the method has
		q.ends("DISCONNECT 82")
		q = w.dial("q", v5, method("TALK", "slow"))
		q.send(auth(more, "TALK", "am u"), auth(more, "TALK", "am u"))
		w.Advance(time.Second)
		q.ends("AUTH 18 15=TALK 16=and slow", "CONNACK 15=TALK 16=hello u "+announced, "DISCONNECT 82")
	}, talking(&says{}))
}

func TestMQTT_ME3_L2_TooLateIsAProtocolError(t *testing.T) {
	s := &says{}
	run(t, talk, func(w *world) {
		silent, stuck := w.dial("p", v5, method("TALK", "one")), w.dial("q", v5, method("TALK", "stuck"))
		again1, again2 := w.talked("r", "u"), w.talked("s", "u")
		again1.send(auth(again, "TALK", "one"))
		again2.send(auth(again, "TALK", "stuck"))
		w.Advance(5*time.Second - time.Millisecond)
		for _, p := range []*peer{silent, stuck, again1, again2} {
			p.open()
		}
		w.Advance(time.Millisecond)
		silent.ends("AUTH 18 15=TALK 16=and one", "CONNACK code=82")
		stuck.ends("CONNACK code=82")
		again1.ends("AUTH 18 15=TALK 16=and one", "DISCONNECT 82")
		again2.ends("DISCONNECT 82")
		if n := w.exchanges("TALK", "late"); n != 4 || s.ended.Load() != 2 {
			t.Errorf("%d counted, %d steps ended", n, s.ended.Load())
		}
	}, talking(s))
}

func TestMQTT_MC12_NothingButAuthAndDisconnectBeforeConnack(t *testing.T) {
	run(t, talk, func(w *world) {
		early := []packet.Packet{ping, pub("a", "x", 1, 1), sub(1, "a", 0), unsub(1, "a"), ack(packet.PUBACK, 1), &packet.Connect{Version: v5, ClientID: []byte("p")}}
		for _, x := range early {
			p := w.dial("p", v5, method("TALK", "one"))
			p.send(x)
			p.ends("AUTH 18 15=TALK 16=and one", "CONNACK code=82")
			p = w.dial("p", v5, method("TALK", "slow")) // while a step is weighed
			p.send(x)
			p.ends("CONNACK code=82")
		}
		p := w.dial("p", v5, method("TALK", "one"))
		p.raw("30 ff ff 7f") // at its header
		p.ends("AUTH 18 15=TALK 16=and one", "CONNACK code=82")
		w.Advance(2 * time.Second)
		if n := w.exchanges("TALK", "protocol"); n != 13 {
			t.Errorf("%d counted", n)
		}
	}, talking(&says{}))
}

// slowStore takes a second for each write.
type slowStore struct{ *adaptertest.Store }

func (s slowStore) Write(batches []*core.Batch, sync bool) error {
	time.Sleep(time.Second)
	return s.Store.Write(batches, sync)
}

func TestMQTT_MC12_NothingBeforeConnackWhileTheSessionIsStored(t *testing.T) {
	run(t, talk, func(w *world) {
		for _, x := range []packet.Packet{ping, auth(more, "TALK", "am u"), auth(again, "TALK", "am u")} {
			p := w.dial("p", v5, method("TALK", "am u"), keep(60))
			p.want()
			p.send(x)
			p.ends("CONNACK code=82")
		}
		p := w.dial("p", v5, method("TALK", "am u"), keep(60))
		p.send(bye(packet.Success))
		p.ends()
		w.Advance(10 * time.Second)
		p = w.dial("q", v5, method("TALK", "am u"), keep(60))
		p.want()
		w.Advance(time.Second)
		p.want("CONNACK 15=TALK 16=hello u " + announced)
	}, talking(&says{}), func(o *adaptertest.Options) { o.Store = slowStore{adaptertest.NewStore()} })
}

func TestMQTT_MC12_AuthBehindConnectWaitsForItsTurn(t *testing.T) {
	run(t, talk, func(w *world) {
		p := &peer{Conn: w.Open(), t: t, v: v5}
		c := &packet.Connect{Version: v5, CleanStart: true, ClientID: []byte("p")}
		method("TALK", "slow")(c)
		p.send(c, auth(more, "TALK", "slow two"), auth(more, "TALK", "am u"))
		if !p.Paused() {
			t.Error("reading goes on")
		}
		p.want()
		w.Advance(time.Second)
		p.want("AUTH 18 15=TALK 16=and slow")
		w.Advance(time.Second)
		p.want("AUTH 18 15=TALK 16=and slow two", "CONNACK 15=TALK 16=hello u "+announced)
		if p.Paused() {
			t.Error("reading stopped for ever")
		}
		p.send(ping)
		p.want("PINGRESP")

		split := &peer{Conn: w.Open(), t: t, v: v5}
		var in []byte
		for _, x := range []packet.Packet{c, auth(more, "TALK", "am u")} {
			in = x.AppendTo(in, v5)
		}
		split.SendSplit(in, 1)
		w.Advance(time.Second)
		split.want("AUTH 18 15=TALK 16=and slow", "CONNACK 15=TALK 16=hello u "+announced)
		p.ends("DISCONNECT 8e") // the same user and client id
	}, talking(&says{}))
}

func TestMQTT_ME3_ADisconnectDuringTheExchangeCloses(t *testing.T) {
	s := &says{}
	run(t, talk, func(w *world) {
		for _, say := range []string{"one", "stuck"} {
			p := w.dial("p", v5, method("TALK", say), will("w", "gone", 0, false))
			p.recv()
			p.send(bye(packet.Success))
			p.ends()
			p = w.dial("p", v5, method("TALK", say))
			p.recv()
			p.Drop()
			w.dial("p", v5, method("TALK", say)).Evict(core.ShuttingDown)
		}
		if n := w.exchanges("TALK", "aborted"); n != 6 || s.ended.Load() != 3 {
			t.Errorf("%d counted, %d steps ended", n, s.ended.Load())
		}
	}, talking(s))
}

func TestMQTT_MC11_NoSessionIsTouchedBeforeTheLogin(t *testing.T) {
	run(t, talk, func(w *world) {
		p := w.talked("p", "u", keep(60))
		p.send(sub(1, "a", 1))
		p.want("SUBACK #1 01")
		for _, say := range []string{"fail not authenticated", "fail bad client id", "one", "am other"} {
			w.dial("p", v5, method("TALK", say), clean, will("a", "gone", 0, false)).recv()
		}
		p.open()
		p.send(pub("a", "x", 0, 0))
		p.want(`PUBLISH a "x"`)
		p.Drop()
		w.dial("p", v5, method("TALK", "am u"), keep(60)).want("CONNACK present 15=TALK 16=hello u " + announced)
	}, talking(&says{}))
}

func TestMQTT_MC12_TakeoverByAnExchange(t *testing.T) {
	run(t, talk, func(w *world) {
		old := w.talked("p", "u")
		p := w.dial("p", v5, method("TALK", "one"))
		p.want("AUTH 18 15=TALK 16=and one")
		old.open()
		p.send(auth(more, "TALK", "am u"))
		p.want("CONNACK 15=TALK 16=hello u " + announced)
		old.ends("DISCONNECT 8e")
	}, talking(&says{}))
}

func TestMQTT_ME4_MM5_AnUnaskedAuthIsAProtocolError(t *testing.T) {
	run(t, talk, func(w *world) {
		for _, in := range []string{"f0 06 18 04 15 00 01 6d", "f0 0a 19 08 15 00 04 54 41 4c 4b 00", "f0 00", "f0 01 18", "f0 03 18 09 ff"} {
			p := w.connect("p", v5, named("u", "right"))
			p.raw(in)
			p.ends("DISCONNECT 82")
		}
		behind := &peer{Conn: w.Open(), t: t, v: v5}
		c := &packet.Connect{Version: v5, CleanStart: true, ClientID: []byte("p")}
		named("u", "right")(c)
		behind.send(c, auth(more, "TALK", "am u"))
		behind.ends("CONNACK "+announced, "DISCONNECT 82")
		old := w.connect("q", v311, named("u", "right"))
		old.raw("f0 00")
		old.ends()
	}, talking(&says{}))
}

func TestMQTT_ME4_U1_TheUserNameOfConnectMustBeTheAuthenticatedOne(t *testing.T) {
	run(t, talk, func(w *world) {
		w.talked("p", "u", named("u", "any")) // the password is weaker evidence, and not asked
		w.talked("p", "u", named("", ""))
		w.dial("p", v5, named("v", "right"), method("TALK", "am u")).ends("CONNACK code=86")
	}, talking(&says{}))
}

func TestMQTT_ME5_TrafficGoesOnDuringAReauthentication(t *testing.T) {
	s := &says{roles: []string{"old"}}
	run(t, talk, func(w *world) {
		p := w.talked("p", "u")
		p.send(sub(1, "new", 0), sub(2, "old", 0))
		p.want("SUBACK #1 87", "SUBACK #2 00")
		s.roles = []string{"new"}
		p.send(auth(again, "TALK", "slow"), pub("old", "1", 1, 1), ping)
		p.want("PUBACK #1", "PINGRESP", `PUBLISH old "1"`) // under the old right
		w.Advance(time.Second)
		p.want("AUTH 18 15=TALK 16=and slow")
		p.send(pub("old", "2", 1, 2), auth(more, "TALK", "am u"))
		p.want("PUBACK #2", `PUBLISH old "2"`, "AUTH 00 15=TALK 16=hello u")
		p.send(pub("old", "3", 1, 3), pub("new", "4", 1, 4), sub(3, "new", 0))
		p.want("PUBACK #3 87", "PUBACK #4 10", "SUBACK #3 00") // under the new one
		p.send(auth(again, "TALK"))                            // no data: it is asked for
		p.want("AUTH 18 15=TALK")
		p.send(auth(more, "TALK", "mute u"))
		p.want("AUTH 00 15=TALK")
	}, talking(s), func(o *adaptertest.Options) { o.Core = func(c *core.Options) { c.Authorizer = byRole{} } })
}

// byRole allows what the principal's roles name.
type byRole struct{}

func (byRole) Authorize(p *core.Principal, _ core.Action, topic string) bool {
	return slices.Contains(p.Roles, topic)
}

func TestMQTT_ME5_AReauthenticationThatFailsEndsTheConnection(t *testing.T) {
	run(t, talk, func(w *world) {
		watch := w.talked("watch", "u")
		watch.send(sub(1, "w", 0))
		watch.recv()
		for what, row := range map[string]struct {
			send []packet.Packet
			want string
		}{
			"another principal":   {[]packet.Packet{auth(again, "TALK", "am v")}, "87"},
			"a failure":           {[]packet.Packet{auth(again, "TALK", "fail not authenticated")}, "87"},
			"not authorized":      {[]packet.Packet{auth(again, "TALK", "fail not authorized")}, "87"},
			"a bad client id":     {[]packet.Packet{auth(again, "TALK", "fail bad client id")}, "87"},
			"a busy backend":      {[]packet.Packet{auth(again, "TALK", "fail busy")}, "87"},
			"a second 19":         {[]packet.Packet{auth(again, "TALK", "slow"), auth(again, "TALK", "am u")}, "82"},
			"18 during a step":    {[]packet.Packet{auth(again, "TALK", "slow"), auth(more, "TALK", "am u")}, "82"},
			"another method":      {[]packet.Packet{auth(again, "MUTE", "am u")}, "82"},
			"no method":           {[]packet.Packet{auth(again, "")}, "82"},
			"00":                  {[]packet.Packet{auth(packet.Success, "TALK", "am u")}, "82"},
			"18 without an asker": {[]packet.Packet{auth(more, "TALK", "am u")}, "82"},
		} {
			p := w.talked("p", "u", will("w", "gone", 0, false))
			p.send(row.send...)
			t.Log(what)
			p.ends("DISCONNECT " + row.want)
			watch.want(`PUBLISH w "gone"`)
		}
		p := w.talked("p", "u")
		p.send(auth(again, "TALK", "one"))
		p.want("AUTH 18 15=TALK 16=and one")
		p.send(auth(again, "TALK", "am u"))
		p.ends("DISCONNECT 82")
		w.Advance(2 * time.Second)
	}, talking(&says{}))
}

func TestMQTT_ME5_ME6_AReauthenticationRenewsTheEnd(t *testing.T) {
	s := &says{lasts: time.Minute}
	run(t, talk, func(w *world) {
		p, q := w.talked("p", "u"), w.talked("q", "u")
		w.Advance(59 * time.Second)
		q.send(auth(again, "TALK", "am u"))
		q.want("AUTH 00 15=TALK 16=hello u")
		w.Advance(time.Second)
		p.ends("DISCONNECT 87")
		w.Advance(58*time.Second - time.Millisecond)
		q.open()
		q.send(auth(again, "TALK", "one")) // one that has not ended does not help
		q.want("AUTH 18 15=TALK 16=and one")
		w.Advance(time.Second)
		q.open()
		w.Advance(time.Millisecond)
		q.ends("DISCONNECT 87")
	}, talking(s))
}

func TestMQTT_MC22_AnAuthThatTheClientCannotTakeCloses(t *testing.T) {
	run(t, talk, func(w *world) {
		w.dial("p", v5, num(packet.MaximumPacketSize, 40), method("TALK", strings.Repeat("x", 40))).ends("CONNACK code=95")
	}, talking(&says{}))
}
