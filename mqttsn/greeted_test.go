package mqttsn

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const connectKept = "09 04 00 01 00 3c 63 6c 31" // as connectCl1, the session stays

// exists tells whether the core has a session of that client identifier.
func (s *sim) exists(id string) bool { return s.router.Exists(core.Client{ID: id}) }

func TestSECURITY_K5_CONNECTFromAnUnprovenAddressMakesNoSession(t *testing.T) {
	for name, hello := range map[string]string{"clean": connectCl1, "kept": connectKept} {
		t.Run(name, func(t *testing.T) {
			simulate(t, Config{}, func(s *sim) {
				d := s.at("198.51.100.1:1000")
				d.ask(hello, connack)
				d.ask(hello, connack) // C7
				if s.exists("cl1") || s.clients != 1 {
					t.Fatalf("a session %v, %d clients", s.exists("cl1"), s.clients)
				}
				s.sleep(15 * time.Second)
				d.want("02 16") // is it there?
				s.sleep(15*time.Second - time.Millisecond)
				d.want()
				s.sleep(time.Millisecond)
				d.want("02 18")
				if s.e.peers.len()+s.e.perSource.Len() != 0 || s.exists("cl1") {
					t.Errorf("%d peers are left, a session %v", s.e.peers.len(), s.exists("cl1"))
				}
				s.wantCount(1, "mqttsn_timeouts_total", "unproven")
				d.ask("02 16", "02 18")
			})
		})
	}
}

func TestSECURITY_K5_TheSessionBeginsWithTheNextPacket(t *testing.T) {
	for _, x := range []struct{ name, packet, answer string }{
		{"answer to the probe", "02 17", ""},
		{"ping", "02 16", "02 17"},
		{"subscribe", "08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00"},
		{"publish", "08 0c 22 61 62 00 03 78", "07 0d 61 62 00 03 00"},
		{"sleep", "04 18 00 3c", "02 18"},
	} {
		for name, hello := range map[string]string{"clean": connectCl1, "kept": connectKept} {
			t.Run(x.name+" "+name, func(t *testing.T) {
				simulate(t, Config{}, func(s *sim) {
					w := s.watch("ab")
					d := s.at("198.51.100.1:1000")
					d.ask(hello, connack)
					d.ask("02 04") // malformed: says nothing
					if s.exists("cl1") {
						t.Fatal("too early")
					}
					if x.answer == "" {
						d.ask(x.packet)
					} else {
						d.ask(x.packet, x.answer)
					}
					if !s.exists("cl1") || s.clients != 1 {
						t.Fatalf("a session %v, %d clients", s.exists("cl1"), s.clients)
					}
					if x.name == "publish" {
						w.want("ab=x q1")
					}
					s.sleep(40 * time.Second)
					if d.want(); s.e.first("cl1") == nil {
						t.Error("forgotten")
					}
				})
			})
		}
	}
}

func TestSECURITY_K5_PacketsWaitForASessionThatTheStoreHasYetToTake(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		w := s.watch("ab")
		d := s.at("198.51.100.1:1000")
		d.ask(connectKept, connack)
		s.pass(func() { // in one turn, as they come from a socket
			for i := range 10 {
				s.e.Datagram(s.turn, d.addr, unhex(t, fmt.Sprintf("08 0c 02 61 62 00 00 3%d", i)), &s.out)
			}
		})
		s.do(func() {})
		var want []string
		for i := range maxWaiting {
			want = append(want, fmt.Sprintf("ab=%d", i))
		}
		w.want(want...)
		s.wantCount(2, "protocol_errors_total", Name, "waiting")
		d.ask("02 16", "02 17")
	})
}

func TestSECURITY_K5_AGreetedClientThatGoesWasNeverThere(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("198.51.100.1:1000")
		d.ask(connectKept, connack)
		d.ask("02 18", "02 18")
		if s.e.peers.len() != 0 || s.exists("cl1") {
			t.Error("something is left")
		}
	})
}

func TestMQTTSN_C12_ASessionThatIsThereIsTakenOverAtOnce(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		a, b := s.at("198.51.100.1:1000"), s.at("198.51.100.2:1000")
		a.ask(connectCl1, connack)
		a.ask("02 16", "02 17")
		b.ask(connectCl1, connack)
		a.want("02 18")
		s.do(func() {})
		b.ask("02 16", "02 17")
	})
	t.Run("of two that are greeted, it is who goes on first", func(t *testing.T) {
		simulate(t, Config{}, func(s *sim) {
			a, b := s.at("198.51.100.1:1000"), s.at("198.51.100.2:1000")
			a.ask(connectCl1, connack)
			b.ask(connectCl1, connack)
			b.ask("02 16", "02 17")
			a.ask("02 16", "02 18")
			b.ask("02 16", "02 17")
		})
	})
	t.Run("what waits for it comes at once", func(t *testing.T) {
		simulate(t, Config{}, func(s *sim) {
			d := s.at("198.51.100.1:1000")
			d.ask(connectKept, connack)
			d.ask("07 12 22 00 01 61 62", "08 13 20 00 00 00 01 00")
			d.ask("02 18", "02 18")
			s.watch("").publish("ab", "x")
			d.send(connectKept)
			if got := d.take(); len(got) != 2 || got[1][1] != 0x0a {
				t.Errorf("% x", got) // CONNACK, and the REGISTER that is the proof
			}
		})
	})
}

func TestSECURITY_K5_AWillFromAnUnprovenAddressIsWaitedForHalfAMinute(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("198.51.100.1:1000")
		d.ask(connectWill, "02 06")
		s.sleep(30*time.Second - time.Millisecond)
		if s.e.peers.len() != 1 {
			t.Fatal("too early")
		}
		s.sleep(time.Millisecond)
		if s.e.peers.len() != 0 {
			t.Fatal("still there")
		}
	})
}

func TestSECURITY_L24_TheOldestOfAnUnprovenAddressGoesFirst(t *testing.T) {
	var log strings.Builder
	host := &adapters.Host{Log: slog.New(slog.NewTextHandler(&log, nil)), Limits: adapters.Limits{UDPPeers: 4, UDPPeersPerAddress: 2}}
	simulateHost(t, Config{}, host, core.Options{}, func(s *sim) {
		hello := func(i int) string { return fmt.Sprintf("09 04 04 01 00 3c 63 6c %x", '0'+i) }
		there := func(want ...int) {
			t.Helper()
			if s.e.peers.len() != len(want) {
				t.Fatalf("%d peers, want %v", s.e.peers.len(), want)
			}
			for _, i := range want {
				found := false
				for p := range s.e.peers.all() {
					found = found || p.id == fmt.Sprintf("cl%d", i)
				}
				if !found {
					t.Fatalf("cl%d is gone", i)
				}
			}
		}
		for i := 1; i <= 4; i++ {
			s.at(fmt.Sprintf("198.51.100.%d:1000", i)).ask(hello(i), connack)
			s.sleep(2 * time.Second)
		}
		s.at("198.51.100.1:1000").ask(hello(1), connack) // heard again
		s.at("198.51.100.5:1000").ask(hello(5), connack)
		there(1, 3, 4, 5)
		s.sleep(time.Second)
		s.at("198.51.100.5:1001").ask(hello(6), connack)
		there(1, 4, 5, 6)
		s.at("198.51.100.5:1002").ask(hello(7), connack) // a third one of that address
		there(1, 4, 6, 7)
		s.at("198.51.100.5:1003").ask(hello(8), "03 05 01") // they have only just come
		there(1, 4, 6, 7)
		s.wantCount(1, "limit_refused_total", Name, "udp_peers_per_address")
		if text := log.String(); !strings.Contains(text, "msg=limit.refused protocol=mqttsn") || !strings.Contains(text, "key=limits.udp.peers_per_address") {
			t.Errorf("log: %s", text)
		}
	})
}

func TestSECURITY_L24_TrustedAddressesAreCountedToo(t *testing.T) {
	host := &adapters.Host{Limits: adapters.Limits{UDPPeersPerAddress: 1}}
	simulateHost(t, Config{}, host, core.Options{}, func(s *sim) {
		s.at("127.0.0.1:1000").connect("a")
		s.at("127.0.0.1:1001").ask(connectCl1, "03 05 01")
		s.at("127.0.0.2:1000").connect("b")
	})
}
