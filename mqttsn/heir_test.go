package mqttsn

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// only lets client identifiers in by a list; who is not on it is refused after a second.
func only(ids ...string) *adapters.Host {
	return &adapters.Host{Auth: loginFunc(func(c adapters.Credentials) (*core.Principal, core.Reason) {
		for _, id := range ids {
			if c.ClientID == id {
				return core.Anonymous, core.OK
			}
		}
		time.Sleep(time.Second)
		return nil, core.NotAuthenticated
	})}
}

const (
	connectCl2     = "09 04 04 01 00 3c 63 6c 32"
	connectCl2Will = "09 04 0c 01 00 3c 63 6c 32"
)

func TestSECURITY_S2_ALoginThatFailsLeavesTheSessionOfTheAddress(t *testing.T) {
	for _, from := range []string{"10.0.0.1:1000", "198.51.100.1:1000"} {
		t.Run(from, func(t *testing.T) {
			simulateHost(t, Config{}, only("cl1"), core.Options{}, func(s *sim) {
				w := s.watch("w")
				d := s.at(from)
				d.ask(connectWill, "02 06")
				d.ask(willTopic, "02 08")
				d.ask(willMsg, connack)
				d.ask("07 12 22 00 01 61 62", "08 13 20 00 00 00 01 00")
				old := s.e.first("cl1")
				for range 3 {
					d.send(connectCl2)
					d.ask("02 16", "02 17") // the client is there all the while
					s.sleep(time.Second)
					d.want(refused)
				}
				if w.want(); s.e.first("cl1") != old || old.heir != nil || s.e.peers.len() != 1 || !s.exists("cl1") {
					t.Fatalf("%d peers", s.e.peers.len())
				}
				s.watch("").publishQoS("ab", "x", 0)
				if got := d.take(); len(got) != 1 {
					t.Fatalf("% x", got)
				}
				s.sleep(90 * time.Second)
				w.want("w=bye")
				if s.e.peers.len()+s.e.perSource.Len() != 0 {
					t.Error("something is left")
				}
			})
		})
	}
}

func TestMQTTSN_C13_TheOldSessionEndsWhenTheNewLoginSucceeds(t *testing.T) {
	wait := make(map[string]time.Duration)
	host := &adapters.Host{Auth: loginFunc(func(c adapters.Credentials) (*core.Principal, core.Reason) {
		time.Sleep(wait[c.ClientID])
		return core.Anonymous, core.OK
	})}
	simulateHost(t, Config{}, host, core.Options{}, func(s *sim) {
		wait["cl2"] = time.Second
		w := s.watch("w")
		d := s.at("10.0.0.1:1000")
		d.ask(connectWill, "02 06")
		d.ask(willTopic, "02 08")
		d.ask(willMsg, connack)
		d.ask(connectCl2Will)
		d.ask(connectCl2Will) // a repetition
		d.ask("02 16", "02 17")
		w.want()
		s.sleep(time.Second)
		d.want("02 06")
		w.want("w=bye")
		d.ask(willTopic, "02 08")
		d.ask(willMsg, connack)
		if s.e.first("cl1") != nil || s.e.first("cl2") == nil || s.e.peers.len() != 1 || s.e.perSource.Len() != 1 {
			t.Errorf("%d peers", s.e.peers.len())
		}
		s.sleep(90 * time.Second)
		w.want("w=bye")
	})
}

func TestAnHeirTakesThePlaceOfWhoEndsMeanwhile(t *testing.T) {
	for name, end := range map[string]func(s *sim, d *device){
		"by its own wish": func(s *sim, d *device) { d.ask("02 18", "02 18") },
		"evicted": func(s *sim, d *device) {
			s.do(func() { s.e.first("cl1").handle.Evict(core.Kicked) })
			d.want("02 18")
		},
	} {
		t.Run(name, func(t *testing.T) {
			host := &adapters.Host{Auth: loginFunc(func(c adapters.Credentials) (*core.Principal, core.Reason) {
				if c.ClientID == "cl2" {
					time.Sleep(time.Second)
				}
				return core.Anonymous, core.OK
			})}
			simulateHost(t, Config{}, host, core.Options{}, func(s *sim) {
				d := s.at("10.0.0.1:1000").connect("cl1")
				d.ask(connectCl2)
				end(s, d)
				if s.e.peers.len() != 1 || s.e.perSource.Len() != 1 {
					t.Fatalf("%d peers", s.e.peers.len())
				}
				s.sleep(time.Second)
				d.want(connack)
				d.ask("02 16", "02 17")
			})
		})
	}
}

func TestAnHeirGoesWithTheListenerAndWithAThirdCONNECT(t *testing.T) {
	simulateHost(t, Config{}, only("cl1"), core.Options{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask(connectCl2)
		first := s.e.first("cl1").heir
		d.put(packet.Connect{Clean: true, ProtocolID: 1, Duration: 60, ClientID: []byte("cl3")})
		if h := s.e.first("cl1").heir; first.state != gone || h == nil || h.id != "cl3" {
			t.Fatal("the third one is not the heir")
		}
		s.do(func() { s.e.Close(s.turn, core.ShuttingDown, &s.out) })
		d.want("02 18")
		if s.e.peers.len()+s.e.perSource.Len() != 0 {
			t.Error("something is left")
		}
		s.sleep(time.Second) // until the logins have ended
	})
}

func TestSECURITY_S9_AnHeirSharesTheBudgetOfItsAddress(t *testing.T) {
	simulateHost(t, Config{RatePerSource: Unlimited}, only("cl1"), core.Options{}, func(s *sim) {
		d := s.at("198.51.100.1:1000")
		d.ask(connectCl1, connack)
		d.ask("02 16", "02 17")
		d.ask(connectCl2)
		p := s.e.first("cl1")
		if b := p.budget(); b.Allow(1) {
			t.Error("the client keeps a budget beside its heir's")
		}
		s.sleep(time.Second)
		d.want(refused)
		if b := p.budget(); !b.Allow(3*(9+2+9)-3-2-3) || b.Allow(1) {
			t.Error("what is left is not given back")
		}
	})
}
