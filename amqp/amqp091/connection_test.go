package amqp091_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

var (
	tuneOk = &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072}
	vhost  = &wire.ConnectionOpen{VirtualHost: "/"}
)

func TestAMQP_AQ8_StartOffersMechanismsAndCapabilities(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		f, _, err := wire.Scan(p.Recv(), 4096)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wire.ParseMethod(f.Payload)
		if err != nil {
			t.Fatal(err)
		}
		start := m.(*wire.ConnectionStart)
		if start.VersionMajor != 0 || start.VersionMinor != 9 || start.Mechanisms != "PLAIN AMQPLAIN" || start.Locales != "en_US" {
			t.Errorf("%+v", start)
		}
		v, _ := start.ServerProperties.Get("capabilities")
		can, _ := v.Table()
		for _, name := range []string{"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked", "authentication_failure_close", "per_consumer_qos", "direct_reply_to", "consumer_priorities"} {
			if v, _ := can.Get(name); v.Type != 't' || v.Raw[0] != 1 {
				t.Errorf("capability %s: %v", name, v)
			}
		}
	})
}

func TestAMQP_AQ9_MechanismsLogIn(t *testing.T) {
	amqplain := wire.Table{}.Append("LOGIN", wire.Longstr("guest")).Append("PASSWORD", wire.Longstr("guest"))
	for name, c := range map[string]struct {
		mechanism, response string
		ok                  bool
	}{
		"PLAIN":                    {"PLAIN", "\x00u\x00p", true},
		"PLAIN with authorization": {"PLAIN", "u\x00u\x00p", true},
		"PLAIN for another":        {"PLAIN", "boss\x00u\x00p", false},
		"PLAIN without password":   {"PLAIN", "\x00u", false},
		"AMQPLAIN of numbers":      {"AMQPLAIN", string(wire.Table{}.Append("LOGIN", wire.Int(1)).Append("PASSWORD", wire.Int(2))), false},
		"AMQPLAIN":                 {"AMQPLAIN", string(amqplain), true},
		"AMQPLAIN without login":   {"AMQPLAIN", "", false},
		"AMQPLAIN torn":            {"AMQPLAIN", "\x05LOG", false},
		"unknown":                  {"SCRAM-SHA-256", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				p := w.raw()
				p.SendString(wire.ProtocolHeader)
				p.recv()
				p.send(0, &wire.ConnectionStartOk{Mechanism: c.mechanism, Response: []byte(c.response), Locale: "en_US"})
				if !c.ok {
					p.expectClosed(core.NotAuthenticated)
					return
				}
				p.expect("0 connection.tune ChannelMax:2047 FrameMax:131072 Heartbeat:60")
			})
		})
	}
}

func TestAMQP_AQ9_WhatIsNotOfferedIsNotTaken(t *testing.T) {
	amqplain := wire.Table{}.Append("LOGIN", wire.Longstr("guest")).Append("PASSWORD", wire.Longstr("guest"))
	for name, x := range map[string]struct {
		config  amqp091.Config
		offered string
	}{
		"one alone":          {amqp091.Config{Mechanisms: []string{"AMQPLAIN"}}, "AMQPLAIN"},
		"none without TLS":   {amqp091.Config{PlainNeedsTLS: true}, ""},
		"EXTERNAL, no proof": {amqp091.Config{Mechanisms: []string{"EXTERNAL", "PLAIN"}}, "PLAIN"},
	} {
		t.Run(name, func(t *testing.T) {
			simulateWith(t, x.config, adaptertest.Options{}, func(w *world) {
				for mechanism, response := range map[string]string{"PLAIN": "\x00u\x00p", "AMQPLAIN": string(amqplain), "EXTERNAL": ""} {
					p := w.raw()
					p.SendString(wire.ProtocolHeader)
					if got := p.recv(); len(got) != 1 || !strings.Contains(got[0], "Mechanisms:"+x.offered+" Locales") {
						t.Fatal(got)
					}
					p.send(0, &wire.ConnectionStartOk{Mechanism: mechanism, Response: []byte(response), Locale: "en_US"})
					if mechanism == x.offered {
						p.expectPrefix("0 connection.tune")
						continue
					}
					p.expectClosed(core.NotAuthenticated)
				}
			})
		})
	}
}

// onlyAlice knows one user.
type onlyAlice struct{}

func (onlyAlice) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	if c.User != "alice" || string(c.Password) != "secret" {
		return nil, core.NotAuthenticated
	}
	return &core.Principal{User: "alice", Namespace: core.DefaultNamespace}, core.OK
}

func TestAMQP_AQ10_WrongPassword(t *testing.T) {
	for name, c := range map[string]struct {
		client wire.Table
		want   string
	}{
		"told":   {capabilities(), "0 connection.close Code:403 Text:ACCESS_REFUSED - login was refused: not authenticated ClassID:0 MethodID:0"},
		"silent": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			simulateWith(t, amqp091.Config{}, adaptertest.Options{Auth: onlyAlice{}}, func(w *world) {
				p := w.raw()
				p.SendString(wire.ProtocolHeader)
				p.recv()
				m := startOk("alice", "wrong")
				m.ClientProperties = c.client
				p.send(0, m)
				other := w.raw() // it does not wait
				other.SendString(wire.ProtocolHeader)
				other.send(0, startOk("alice", "secret"), tuneOk, vhost)
				if got := other.recv(); len(got) != 3 {
					t.Fatal(got)
				}
				w.Advance(999 * time.Millisecond)
				p.expect("")
				w.Advance(101 * time.Millisecond) // a tick comes as much as that later
				p.expect(c.want)
				p.expectClosed(core.NotAuthenticated)
			})
		})
	}
}

func TestALoginTakesItsTimeElsewhere(t *testing.T) {
	simulateWith(t, amqp091.Config{}, adaptertest.Options{Auth: onlyAlice{}}, func(w *world) {
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		p.send(0, startOk("alice", "secret"), tuneOk, vhost) // all at once: the rest waits for the login
		if got := p.recv(); len(got) != 3 || got[2] != "0 connection.open-ok" {
			t.Fatal(got)
		}
		if !p.Authenticated() {
			t.Error("the loop was not told")
		}
	})
}

func TestAMQP_AQ11_TuneIsNegotiatedDownwards(t *testing.T) {
	for name, c := range map[string]struct {
		m  wire.ConnectionTuneOk
		ok bool
	}{
		"as offered":             {wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}, true},
		"lower":                  {wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096}, true},
		"channel-max 0":          {wire.ConnectionTuneOk{ChannelMax: 0, FrameMax: 131072}, false},
		"channel-max above ours": {wire.ConnectionTuneOk{ChannelMax: 2048, FrameMax: 131072}, false},
		"frame-max 0":            {wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 0}, false},
		"frame-max above ours":   {wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 131073}, false},
		"frame-max below 4096":   {wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4095}, false},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				p := w.raw()
				p.SendString(wire.ProtocolHeader)
				p.send(0, startOk("g", "g"))
				p.recv()
				p.send(0, &c.m, vhost)
				if c.ok {
					p.expect("0 connection.open-ok")
					return
				}
				p.expectPrefix("0 connection.close Code:530 Text:NOT_ALLOWED")
			})
		})
	}
}

func TestAMQP_AQ11_FrameMaxBoundsWhatWeSend(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		p.send(0, startOk("g", "g"), &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096}, vhost)
		p.send(1, &wire.ChannelOpen{}, &wire.QueueDeclare{Queue: "q"})
		p.recv()
		p.max = 4096
		body := strings.Repeat("x", 10_000)
		p.publish("", "q", body)
		p.call("1 basic.get-ok DeliveryTag:1 Redelivered:false Exchange: RoutingKey:q MessageCount:0 \"10000 octets\"", &wire.BasicGet{Queue: "q", NoAck: true})
		p.Send([]byte("\x01\x00\x01\x00\x00\x0f\xf9"))
		p.expectPrefix("0 connection.close Code:501 Text:FRAME_ERROR")
	})
}

func TestAMQP_AQ12_VhostAndOrder(t *testing.T) {
	for name, c := range map[string]struct {
		ms   []wire.Method
		want string
	}{
		"unknown vhost":        {[]wire.Method{startOk("g", "g"), tuneOk, &wire.ConnectionOpen{VirtualHost: "nowhere"}}, "0 connection.close Code:530"},
		"open before start-ok": {[]wire.Method{vhost}, "0 connection.close Code:503"},
		"open before tune-ok":  {[]wire.Method{startOk("g", "g"), vhost}, "0 connection.close Code:503"},
		"start-ok twice":       {[]wire.Method{startOk("g", "g"), startOk("g", "g")}, "0 connection.close Code:503"},
		"tune from a client":   {[]wire.Method{&wire.ConnectionTune{}}, "0 connection.close Code:503"},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				p := w.raw()
				p.SendString(wire.ProtocolHeader)
				p.send(0, c.ms...)
				got := p.recv()
				if last := got[len(got)-1]; !strings.HasPrefix(last, c.want) {
					t.Fatal(got)
				}
				if _, closed := p.Closed(); !closed {
					t.Error("still open")
				}
			})
		})
	}
}

func TestAMQP_AQ12_ChannelBeforeOpen(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		p.recv()
		p.send(1, &wire.ChannelOpen{})
		p.expectPrefix("0 connection.close Code:503")
	})
}

func TestAMQP_AQ12_SlowHandshakeIsClosed(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		p.send(0, startOk("g", "g"))
		w.Advance(20 * second)
		p.expectClosed(core.IdleTimeout)
	})
}

// beating connects with a heart-beat of h seconds.
func (w *world) beating(h uint16) *peer {
	p := w.raw()
	p.SendString(wire.ProtocolHeader)
	p.send(0, startOk("g", "g"), &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072, Heartbeat: h}, vhost)
	p.recv()
	return p
}

func TestAMQP_AQ13_HeartbeatAfterHalfTheInterval(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.beating(10)
		w.Advance(4900 * time.Millisecond)
		p.expect("")
		w.Advance(200 * time.Millisecond)
		p.expect("heartbeat")
		w.Advance(5 * second)
		p.expect("heartbeat")
	})
}

func TestAMQP_AQ13_SilentClientIsClosedAfterTwoIntervals(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.beating(10)
		w.Advance(15 * second)
		p.Send([]byte(wire.HeartbeatFrame))
		w.Advance(19900 * time.Millisecond)
		if _, closed := p.Closed(); closed {
			t.Fatal("closed early")
		}
		w.Advance(200 * time.Millisecond)
		p.expectClosed(core.IdleTimeout)
	})
}

func TestAMQP_AQ13_NoHeartbeatWhenTheClientWantsNone(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.beating(0)
		w.Advance(24 * time.Hour)
		p.expect("")
		if _, closed := p.Closed(); closed {
			t.Fatal("closed")
		}
	})
}

func TestAMQP_AQ14_CloseReleasesAndAnswers(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"})
		p.publish("", "q", "m")
		p.send(1, &wire.BasicGet{Queue: "q"})
		p.recv()
		p.send(0, &wire.ConnectionClose{Code: 200})
		p.expect("0 connection.close-ok")
		q.call(`1 basic.get-ok DeliveryTag:1 Redelivered:true Exchange: RoutingKey:q MessageCount:0 x-delivery-count=I:"\x00\x00\x00\x01"/1 "m"`, &wire.BasicGet{Queue: "q"})
	})
}

// Libraries take an end that comes together with close-ok for a lost connection.
func TestAMQP_AQ14_TheClientClosesTheSocketAfterCloseOk(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(0, &wire.ConnectionClose{Code: 200})
		p.expect("0 connection.close-ok")
		p.SendString("whatever follows")
		w.Advance(1900 * time.Millisecond)
		p.expect("")
		if _, closed := p.Closed(); closed {
			t.Fatal("closed before the client did")
		}
		w.Advance(200 * time.Millisecond)
		p.expectClosed(core.Normal)
	})
}

func TestAMQP_AQ15_LossReleasesAndEndsExclusiveQueues(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "shared"}, &wire.QueueDeclare{Queue: "mine", Exclusive: true})
		p.publish("", "shared", "m")
		p.send(1, &wire.BasicGet{Queue: "shared"})
		p.Drop()
		q.call("1 queue.declare-ok Queue:shared MessageCount:1 ConsumerCount:0", &wire.QueueDeclare{Queue: "shared", Passive: true})
		q.send(1, &wire.QueueDeclare{Queue: "mine", Passive: true})
		q.expectPrefix("1 channel.close Code:404")
	})
}

func TestAMQP_AQ17_UpdateSecretLogsInAgain(t *testing.T) {
	simulateWith(t, amqp091.Config{}, adaptertest.Options{Auth: onlyAlice{}}, func(w *world) {
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		p.send(0, startOk("alice", "secret"), tuneOk, vhost)
		p.recv()
		p.send(0, &wire.ConnectionUpdateSecret{NewSecret: []byte("secret")})
		p.expect("0 connection.update-secret-ok")
		p.send(0, &wire.ConnectionUpdateSecret{NewSecret: []byte("wrong")})
		p.expectPrefix("0 connection.close Code:530")
	})
}

func TestAMQP_AQ18_StopClosesWith320(t *testing.T) {
	simulate(t, func(w *world) {
		for _, r := range []core.Reason{core.ShuttingDown, core.Moved} {
			p := w.dial()
			p.Evict(r)
			p.expectPrefix("0 connection.close Code:320 Text:CONNECTION_FORCED")
			p.expectClosed(r)
		}
	})
}

// loginFunc is an authenticator.
type loginFunc func(context.Context, adapters.Credentials) (*core.Principal, core.Reason)

func (f loginFunc) Authenticate(ctx context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	return f(ctx, c)
}

func TestSECURITY_U11_ABusyLoginIsRefusedWith506(t *testing.T) {
	busy := loginFunc(func(context.Context, adapters.Credentials) (*core.Principal, core.Reason) { return nil, core.Busy })
	simulateWith(t, amqp091.Config{}, adaptertest.Options{Auth: busy}, func(w *world) {
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		p.recv()
		p.send(0, startOk("alice", "secret"))
		p.expectPrefix("0 connection.close Code:506 Text:RESOURCE_ERROR")
		p.expectClosed(core.Busy)
	})
}

// Whoever has failed too often waits for the end of the time of a login; no
// goroutine stays behind, which the bubble would tell (SECURITY U13).
func TestSECURITY_U13_ALoginThatIsHeldBackEnds(t *testing.T) {
	held := loginFunc(func(ctx context.Context, _ adapters.Credentials) (*core.Principal, core.Reason) {
		<-ctx.Done()
		return nil, core.NotAuthenticated
	})
	simulateWith(t, amqp091.Config{}, adaptertest.Options{Auth: held}, func(w *world) {
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		p.recv()
		p.send(0, startOk("alice", "secret"))
		w.Advance(4900 * time.Millisecond)
		if _, closed := p.Closed(); closed {
			t.Fatal("told early")
		}
		w.Advance(2 * second)
		if _, closed := p.Closed(); !closed {
			t.Error("still open")
		}
	})
}

func TestSECURITY_Expires_TheEndOfTheLoginClosesWith320(t *testing.T) {
	var ends time.Time
	login := loginFunc(func(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
		return &core.Principal{User: c.User, Namespace: core.DefaultNamespace, Expires: ends}, core.OK
	})
	simulateWith(t, amqp091.Config{}, adaptertest.Options{Auth: login}, func(w *world) {
		dial := func() *peer {
			p := w.raw()
			p.SendString(wire.ProtocolHeader)
			p.send(0, startOk("alice", "secret"), &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072}, vhost)
			p.recv()
			return p
		}
		ends = time.Now().Add(time.Minute)
		expires, renewed := dial(), dial()
		ends = time.Now().Add(2 * time.Minute)
		renewed.send(0, &wire.ConnectionUpdateSecret{NewSecret: []byte("newer")}) // AQ17
		renewed.expect("0 connection.update-secret-ok")
		w.Advance(time.Minute - time.Millisecond)
		expires.expect("")
		w.Advance(101 * time.Millisecond)
		expires.expectPrefix("0 connection.close Code:320 Text:CONNECTION_FORCED")
		expires.expectClosed(core.LoginExpired)
		renewed.expect("")
		w.Advance(time.Minute)
		renewed.expectPrefix("0 connection.close Code:320")
		renewed.expectClosed(core.LoginExpired)
	})
}

func TestAMQP_AQ38_UserIDIsThePrincipalNotTheNameThatWasGiven(t *testing.T) {
	token := loginFunc(func(context.Context, adapters.Credentials) (*core.Principal, core.Reason) {
		return &core.Principal{User: "ann", Namespace: core.DefaultNamespace, Method: "jwt"}, core.OK
	})
	simulateWith(t, amqp091.Config{}, adaptertest.Options{Auth: token}, func(w *world) {
		p := w.dial() // as guest, with a token of ann's
		p.publishWith(&wire.BasicPublish{RoutingKey: []byte("q")}, &wire.Properties{Flags: wire.FlagUserID, UserID: []byte("ann")}, "m")
		p.expect("")
		p.publishWith(&wire.BasicPublish{RoutingKey: []byte("q")}, &wire.Properties{Flags: wire.FlagUserID, UserID: []byte("guest")}, "m")
		p.expectPrefix("1 channel.close Code:406")
	})
}
