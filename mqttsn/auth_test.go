package mqttsn

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// people knows users by their passwords, and guests where it is open. What
// DTLS has proven is stronger, as in the chain of the gateway.
type people struct {
	passwords map[string]string
	guests    bool
	ends      time.Time // of every login
	blocked   bool      // who comes with a password waits for the end of its time
}

func (a *people) Authenticate(ctx context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	p := &core.Principal{Namespace: core.DefaultNamespace, ClientID: c.ClientID, Expires: a.ends}
	switch {
	case c.PSKIdentity != "":
		if p.User = c.PSKIdentity; c.HasUser && c.User != p.User {
			return nil, core.NotAuthenticated
		}
	case c.HasUser:
		if a.blocked {
			<-ctx.Done()
			return nil, core.NotAuthenticated
		}
		if pass, ok := a.passwords[c.User]; !ok || pass != string(c.Password) {
			return nil, core.NotAuthenticated
		}
		p.User = c.User
	case a.guests:
		p.User = core.Anonymous.User
	default:
		return nil, core.NotAuthenticated
	}
	return p, core.OK
}

func withPeople(t *testing.T, c Config, a *people, fn func(s *sim)) {
	t.Helper()
	a.passwords = map[string]string{"ann": "secret", "bob": "hunter"}
	c.AuthPacket = true
	simulateHost(t, c, &adapters.Host{Auth: a}, core.Options{}, fn)
}

// over is a device with an association that proves nothing.
func (s *sim) over(addr string) *device {
	d := s.at(addr)
	d.secure = &adapters.Association{Remote: d.addr}
	return d
}

func plain(user, password string) packet.Auth {
	return packet.Auth{Method: []byte(packet.PLAIN), Data: packet.AppendPlain(nil, user, password)}
}

// user is whose the client of a name is, "" when there is none.
func (s *sim) user(id string) string {
	if p := s.e.first(id); p != nil {
		return p.principal.User
	}
	return ""
}

func TestMQTTSN_A1_AUTHBeforeOrAfterCONNECT(t *testing.T) {
	for _, x := range []struct {
		name, password, answer, user string
		first                        bool
	}{
		{"before", "secret", connack, "ann", true},
		{"after", "secret", connack, "ann", false},
		{"wrong before", "wrong", refused, "", true},
		{"wrong after", "wrong", refused, "", false},
	} {
		t.Run(x.name, func(t *testing.T) {
			withPeople(t, Config{}, &people{guests: true}, func(s *sim) {
				for _, d := range []*device{s.over("198.51.100.1:1000"), s.at("127.0.0.1:1000")} {
					if x.first {
						d.put(plain("ann", x.password))
						d.want()
						d.ask(connectCl1, x.answer)
					} else {
						d.ask(connectCl1)
						d.put(plain("ann", x.password))
						d.want(x.answer)
					}
					if got := s.user("cl1"); got != x.user {
						t.Errorf("user %q", got)
					}
					s.sleep(10 * time.Second)
					d.take()
				}
				if s.e.early != 0 || x.user == "" && s.e.peers.len() != 0 {
					t.Errorf("%d early, %d peers", s.e.early, s.e.peers.len())
				}
			})
		})
	}
}

func TestMQTTSN_A1_WillAndAUTH(t *testing.T) {
	withPeople(t, Config{}, &people{}, func(s *sim) {
		d := s.over("198.51.100.1:1000")
		d.put(plain("ann", "secret"))
		d.ask(connectWill, "02 06")
		d.put(plain("ann", "secret")) // a repetition
		d.ask(willTopic, "02 08")
		d.put(plain("bob", "hunter")) // it contradicts
		d.want(refused)
		d.ask("02 16", "02 18")
	})
}

func TestMQTTSN_A2_MalformedAUTHIsDropped(t *testing.T) {
	withPeople(t, Config{}, &people{}, func(s *sim) {
		d := s.over("198.51.100.1:1000")
		d.ask("02 03")
		d.ask("03 03 00")
		d.ask("08 03 00 05 50 4c 41 49")
		s.wantCount(3, "mqttsn_malformed_total", "length")
	})
}

func TestMQTTSN_AUTHIsUnknownUnlessItIsOn(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("127.0.0.1:1000")
		d.put(plain("ann", "secret"))
		d.want()
		s.wantCount(1, "mqttsn_malformed_total", "type")
		d.ask(connectCl1, connack)
	})
}

func TestMQTTSN_APasswordNeedsDTLSOrThisMachine(t *testing.T) {
	withPeople(t, Config{}, &people{guests: true}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.put(plain("ann", "secret"))
		d.want(refused)
		d.ask(connectCl1, connack) // nobody waits for what would be refused
		d.put(plain("ann", "secret"))
		d.want()
		d.ask("02 16", pingresp)
		if s.user("cl1") != "anonymous" {
			t.Error(s.user("cl1"))
		}
		s.wantCount(2, "protocol_errors_total", Name, "auth_plain")
	})
	t.Run("allow_plain", func(t *testing.T) {
		withPeople(t, Config{AllowPlain: true}, &people{}, func(s *sim) {
			d := s.at("10.0.0.1:1000")
			d.put(plain("ann", "secret"))
			d.ask(connectCl1, connack)
		})
	})
}

func TestMQTTSN_AUTHThatNoLoginCanUseIsRefused(t *testing.T) {
	for name, a := range map[string]packet.Auth{
		"method":            {Method: []byte("SCRAM-SHA-256"), Data: []byte("n,,n=ann,r=x")},
		"no password":       {Method: []byte("PLAIN"), Data: []byte("\x00ann")},
		"for somebody else": {Method: []byte("PLAIN"), Data: []byte("bob\x00ann\x00secret")},
		"long":              plain("ann", strings.Repeat("x", 8193)),
		"long user":         plain(strings.Repeat("x", 1025), "secret"),
	} {
		t.Run(name, func(t *testing.T) {
			withPeople(t, Config{}, &people{guests: true}, func(s *sim) {
				d := s.over("198.51.100.1:1000")
				d.put(a)
				d.want(refused)
				d.ask(connectCl1)
				d.put(a)
				d.want(refused)
				d.put(plain("ann", "secret"))
				d.ask(connectCl1, connack)
				d.put(a) // a client that is connected is left alone
				d.want()
				d.ask("02 16", pingresp)
			})
		})
	}
}

func TestMQTTSN_WithoutAUTHTheListenerDecidesAfterAMoment(t *testing.T) {
	for _, guests := range []bool{true, false} {
		t.Run(fmt.Sprint(guests), func(t *testing.T) {
			withPeople(t, Config{}, &people{guests: guests}, func(s *sim) {
				d := s.over("198.51.100.1:1000")
				d.ask(connectCl1)
				d.ask(connectCl1) // a repetition
				s.sleep(authWait - time.Millisecond)
				d.want()
				s.sleep(time.Millisecond)
				if d.want(map[bool]string{true: connack, false: refused}[guests]); guests && s.user("cl1") != "anonymous" {
					t.Error(s.user("cl1"))
				}
			})
		})
	}
}

func TestSECURITY_U1_AUTHBesideWhatDTLSHasProven(t *testing.T) {
	withPeople(t, Config{}, &people{}, func(s *sim) {
		d := s.with("ann", "198.51.100.1:1000")
		d.ask(connectCl1, connack) // nobody waits for AUTH
		d.ask("02 18", "02 18")
		for _, x := range []struct{ user, answer string }{{"ann", connack}, {"bob", refused}} {
			d.put(plain(x.user, "hunter"))
			d.ask(connectCl1, x.answer)
			d.take()
			d.send("02 18")
			d.take()
		}
	})
}

func TestMQTTSN_AUTHWithoutCONNECTIsForgotten(t *testing.T) {
	withPeople(t, Config{}, &people{}, func(s *sim) {
		d := s.over("198.51.100.1:1000")
		d.put(plain("ann", "secret"))
		d.ask("02 16", "02 18") // it is nobody's session
		d.ask("09 0a 00 00 00 02 61 2f 62", "02 18")
		s.sleep(5 * time.Second)
		d.want()
		if s.e.peers.len() != 0 || s.e.early != 0 {
			t.Errorf("%d peers, %d early", s.e.peers.len(), s.e.early)
		}
		d.ask(connectCl1)
		s.sleep(authWait)
		d.want(refused)
	})
}

func TestSECURITY_L4_AUTHWithoutCONNECTHasFewPlaces(t *testing.T) {
	host := &adapters.Host{Auth: &people{}, Limits: adapters.Limits{PreauthConnections: 2}}
	simulateHost(t, Config{AuthPacket: true}, host, core.Options{}, func(s *sim) {
		for i, want := range [][]string{nil, nil, {"03 05 01"}} {
			d := s.over(fmt.Sprintf("198.51.100.%d:1000", i))
			d.put(plain("ann", "secret"))
			d.want(want...)
		}
		s.sleep(5 * time.Second)
		d := s.over("198.51.100.9:1000")
		d.put(plain("ann", "secret"))
		d.want()
	})
}

// C7 and K13 hold with AUTH ahead of each CONNECT; another user is another client.
func TestMQTTSN_C7_AUTHAndCONNECTAgain(t *testing.T) {
	withPeople(t, Config{}, &people{}, func(s *sim) {
		d := s.over("198.51.100.1:1000")
		for range 2 {
			d.put(plain("ann", "secret"))
			d.ask(connectCl1, connack)
		}
		first := s.e.first("cl1")
		d.ask("04 18 00 1e", "02 18")
		d.put(plain("ann", "secret"))
		if d.ask(connectCl1, connack); s.e.first("cl1") != first {
			t.Error("the session was not gone on with")
		}
		d.put(plain("bob", "wrong"))
		d.ask(connectCl1, refused)
		d.put(plain("bob", "hunter"))
		if d.ask(connectCl1, connack); s.user("cl1") != "bob" || s.e.peers.len() != 1 {
			t.Errorf("%s, %d peers", s.user("cl1"), s.e.peers.len())
		}
	})
}

// Whoever has failed too often waits for the end of the time of a login, and a
// peer that goes takes its login along (SECURITY U13).
func TestSECURITY_U13_ALoginThatIsHeldBackEnds(t *testing.T) {
	withPeople(t, Config{}, &people{blocked: true}, func(s *sim) {
		d := s.over("198.51.100.1:1000")
		d.put(plain("ann", "secret"))
		d.ask(connectCl1)
		s.sleep(5*time.Second - time.Millisecond)
		d.want()
		s.sleep(time.Millisecond)
		d.want(refused)
		for i := range 3 { // each gives the one before up; the bubble fails if a goroutine were left
			d.put(plain("ann", "secret"))
			d.put(packet.Connect{Clean: true, ProtocolID: 1, Duration: uint16(i), ClientID: []byte("cl1")})
		}
		d.ask("02 18", "02 18")
	})
}

func TestSECURITY_F6_PINGREQMovesNoOtherPrincipalsClient(t *testing.T) {
	withPeople(t, Config{}, &people{guests: true}, func(s *sim) {
		ann, bob := s.over("198.51.100.1:1000"), s.over("198.51.100.1:2000") // one address
		for d, x := range map[*device][2]string{ann: {"ann", "secret"}, bob: {"bob", "hunter"}} {
			d.put(plain(x[0], x[1]))
			d.ask(connectCl1, connack)
		}
		if s.e.holders() != 2 {
			t.Fatalf("%d sessions", s.e.holders())
		}
		ann.ask("04 18 00 1e", "02 18")
		s.over("198.51.100.1:3000").ask(wakeCl1, "02 18") // nobody in particular
		other := s.over("198.51.100.1:4000")
		other.put(plain("bob", "hunter"))
		other.ask("09 04 04 01 00 3c 63 6c 32", connack)
		other.ask(wakeCl1) // bob's own is active: it stays
		bob.ask("02 16", pingresp)
		ann.ask(wakeCl1, pingresp)
		own := s.over("198.51.100.7:1000")
		own.put(plain("ann", "secret"))
		own.ask("09 04 04 01 00 3c 63 6c 33", connack)
		own.ask(wakeCl1, pingresp) // her own, by what AUTH has shown
		bob.ask("02 16", pingresp)
	})
}

func TestSECURITY_S1_ClientsOfOneNameComeAndGo(t *testing.T) {
	simulateHost(t, Config{}, &adapters.Host{Auth: byIdentity{}}, core.Options{}, func(s *sim) {
		var all []*device
		for i := range 5 {
			all = append(all, s.with(fmt.Sprint("dev", i), fmt.Sprintf("198.51.100.%d:1", i)).connect("cl1"))
		}
		for _, i := range []int{2, 4, 0, 1, 3} { // the middle, both ends, the rest
			all[i].ask("04 18 00 1e", "02 18")
			s.with(fmt.Sprint("dev", i), fmt.Sprintf("198.51.100.%d:2", i)).ask(wakeCl1, pingresp)
			again := s.with(fmt.Sprint("dev", i), fmt.Sprintf("198.51.100.%d:3", i)).connect("cl1")
			again.ask("02 18", "02 18")
		}
		if s.e.holders()+len(s.e.names)+s.e.peers.len() != 0 {
			t.Errorf("%d, %d, %d are left", s.e.holders(), len(s.e.names), s.e.peers.len())
		}
	})
}

func TestSECURITY_F3_TakeoversAreSlowedDown(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		took := 0
		for i := range 300 { // a hundred a second
			d := s.at(fmt.Sprintf("10.0.%d.%d:1", i/100, i%100))
			d.send(connectCl1)
			s.sleep(10 * time.Millisecond)
			took = s.clients
		}
		if took < 35 || took > 42 {
			t.Errorf("%d takeovers in three seconds", took)
		}
		if s.count("mqttsn_takeovers_delayed_total") == 0 {
			t.Error("nothing is counted")
		}
		if s.count("mqttsn_negative_acks_total", "CONNACK", "01") < 200 {
			t.Error("those who waited in vain are not told")
		}
		s.sleep(time.Second)
		if s.e.peers.len() != 1 { // the last one wins
			t.Errorf("%d clients", s.e.peers.len())
		}
		s.at("10.0.2.99:1").ask("02 16", connack, pingresp)
	})
}

func TestSECURITY_F3_WhoWaitsMayLeave(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		var holder *device
		for i := range 11 {
			holder = s.at(fmt.Sprintf("10.0.0.%d:1", i)).connect("cl1")
		}
		d := s.at("10.0.1.1:1")
		d.ask(connectCl1)
		d.ask(connectCl1) // a repetition
		d.ask("02 18", "02 18")
		s.sleep(time.Second)
		holder.ask("02 16", pingresp)
		if _, waiting := s.e.room.takeovers.(*limit.Takeovers).Waiting(); waiting != 0 {
			t.Errorf("%d wait", waiting)
		}
	})
}

func TestSECURITY_P8_QoSMinusOneOverDTLSIsWhomTheAssociationProves(t *testing.T) {
	rules := perUser{"ann": "ab", "dev": "cd"}
	login := loginFunc(func(c adapters.Credentials) (*core.Principal, core.Reason) {
		time.Sleep(time.Second)
		switch {
		case c.PSKIdentity == "stranger":
			return nil, core.NotAuthenticated
		case c.PSKIdentity != "":
			return &core.Principal{User: c.PSKIdentity, Expires: time.Now().Add(time.Minute)}, core.OK
		}
		return &core.Principal{User: c.Device}, core.OK
	})
	simulateHost(t, Config{QoSM1Client: "dev"}, &adapters.Host{Auth: login}, core.Options{Authorizer: rules}, func(s *sim) {
		w := s.watchAs("#", &core.Principal{User: "watcher"})
		ann, nobody, stranger := s.with("ann", "198.51.100.1:1"), s.over("198.51.100.2:1"), s.with("stranger", "198.51.100.3:1")
		const ab, cd = "08 0c 62 61 62 00 00 78", "08 0c 62 63 64 00 00 79"
		for _, d := range []*device{ann, nobody, stranger} {
			d.send(ab)
			d.send(cd)
			s.sleep(time.Second)
		}
		ann.want("07 0d 63 64 00 00 03")
		nobody.want("07 0d 61 62 00 00 03")
		stranger.want("07 0d 61 62 00 00 03", "07 0d 63 64 00 00 03")
		w.want("ab=x", "cd=y")
		if s.e.peers.len() != 0 || len(s.e.proven) != 2 || !s.e.Idle(ann.secure) {
			t.Errorf("%d peers, %d associations", s.e.peers.len(), len(s.e.proven))
		}
		s.sleep(2 * time.Minute) // the login has ended: it is asked for again
		ann.ask(ab)
		w.want()
		s.sleep(time.Second)
		w.want("ab=x")
		s.sleep(2 * time.Minute)
		for range maxHeldOne { // what waits for a login is bounded
			ann.ask(ab)
		}
		ann.ask(ab, "07 0d 61 62 00 00 01")
		s.sleep(time.Second)
		w.want(slices.Repeat([]string{"ab=x"}, maxHeldOne)...)
		ann.hangUp()
		if stranger.hangUp(); len(s.e.proven) != 0 {
			t.Errorf("%d associations are left", len(s.e.proven))
		}
	})
}

// perUser lets each user publish to one topic.
type perUser map[string]string

func (r perUser) Authorize(p *core.Principal, a core.Action, topic string) bool {
	return a != core.ActionPublish || r[p.User] == topic
}

func TestSECURITY_Expires_TheEndOfTheLoginIsTheEndOfTheClient(t *testing.T) {
	begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every bubble
	withPeople(t, Config{}, &people{ends: begin.Add(time.Minute)}, func(s *sim) {
		w := s.watchAs("w", &core.Principal{User: "ann"})
		active, sleeper := s.with("ann", "198.51.100.1:1000"), s.with("ann", "198.51.100.2:1000").connect("cl2")
		active.ask(connectWill, "02 06")
		active.ask(willTopic, "02 08")
		active.ask(willMsg, connack)
		sleeper.ask("04 18 02 00", "02 18")
		s.sleep(time.Until(begin.Add(time.Minute)) - time.Millisecond)
		active.ask("02 16", pingresp)
		w.want()
		s.sleep(time.Millisecond)
		active.want("02 18")
		w.want("w=bye")
		sleeper.want() // K6
		sleeper.ask(wakeCl1, "02 18")
		if s.e.peers.len() != 0 {
			t.Errorf("%d peers", s.e.peers.len())
		}
	})
}

func TestSECURITY_F3_ASleepersSessionIsNotHandedOverMoreOftenEither(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		at := func(i int) *device { return s.at(fmt.Sprintf("10.0.0.%d:1", i)) }
		for i := range limit.TakeoverRate + 1 {
			at(i).ask(connectCl1, connack)
			at(i).ask("04 18 00 1e", "02 18")
		}
		at(100).ask(connectCl1, "03 05 01")
		if s.e.peers.len() != 1 {
			t.Errorf("%d clients", s.e.peers.len())
		}
		s.sleep(100 * time.Millisecond)
		at(100).ask(connectCl1, connack)
	})
}

// What another protocol took over counts, too: a session is the same in all.
func TestSECURITY_F3_TakeoversOfAllProtocolsAreCountedTogether(t *testing.T) {
	shared := new(limit.Takeovers)
	simulateHost(t, Config{}, &adapters.Host{Takeovers: shared}, core.Options{}, func(s *sim) {
		s.at("10.0.0.1:1").connect("cl1")
		for range limit.TakeoverRate {
			shared.Allow(s.turn.Now, &core.Client{ID: "cl1", Principal: core.Anonymous}, true)
		}
		d := s.at("10.0.0.2:1")
		d.ask(connectCl1)
		s.sleep(100 * time.Millisecond)
		d.want(connack)
	})
}
