package mqttsn

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

func TestMQTTSN_X1_UnknownAddressIsToldToConnect(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		for i, first := range []string{
			"08 12 20 00 01 61 2f 62", "08 0c 20 04 01 00 03 78", "09 0a 00 00 00 02 61 2f 62", "02 16",
			"04 10 00 03", "07 0d 04 01 00 03 00", "02 07", "05 16 63 6c 31",
		} {
			s.at(fmt.Sprintf("10.0.1.%d:1", i)).ask(first, "02 18")
		}
		if s.e.peers.len() != 0 {
			t.Error("a state was made")
		}
	})
}

func TestMQTTSN_X1_AnswersToStrangersAreLimited(t *testing.T) {
	simulate(t, Config{UnsolicitedRate: 2}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		for range 4 {
			d.ask("02 16", "02 18")
		}
		d.ask("02 16")
		d.ask("03 01 00") // D6: GWINFO shares the limit
		s.at("10.0.0.2:1000").ask("02 16", "02 18")
		s.sleep(500 * time.Millisecond)
		d.ask("03 01 00", "03 02 01")
		s.wantCount(2, "mqttsn_unsolicited_total", "limited")
	})
}

func TestMQTTSN_X1_AnotherGatewaysAnswersAreNotAnswered(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		for _, p := range []string{"03 05 00", "02 06", "02 08", "08 13 20 04 01 00 01 00", "04 15 00 01", "02 17", "03 1b 00", "03 1d 00"} {
			s.at("10.0.0.1:1000").ask(p)
		}
	})
}

func TestMQTTSN_X2_X3_UnknownAndMalformedPacketsAreDropped(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		for _, bad := range []string{"02 03", "02 11", "02 ff", "02 04", "09 04", "01 00 02", "00", "", "06 16 63 6c 31 ff ff", "03 16 ff"} {
			d.ask(bad)
		}
		d.connect("cl1")
		for _, bad := range []string{"02 03", "02 0c", "04 0d 00 01", "03 10 00", "06 12 20 00 01 ff", "04 1a 60 61"} {
			d.ask(bad)
		}
		d.ask("02 16", pingresp)
		s.wantCount(4, "mqttsn_malformed_total", "type")
		s.wantCount(2, "mqttsn_malformed_total", "utf8")
		s.wantCount(1, "mqttsn_malformed_total", "flags")
	})
}

func TestMQTTSN_W6_SeveralPacketsInADatagram(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("02 16 02 16")
		s.wantCount(1, "mqttsn_malformed_total", "length")
	})
	t.Run("allowed", func(t *testing.T) {
		simulate(t, Config{MultiPacket: true}, func(s *sim) {
			d := s.at("10.0.0.1:1000").connect("cl1")
			d.ask("02 16 02 16", pingresp, pingresp)
		})
	})
}

func TestMQTTSN_X5_RatesAndSessionsOfASource(t *testing.T) {
	simulate(t, Config{RatePerSource: 1, MaxClientsPerSource: 1, AddressProof: "on"}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		s.at("10.0.0.1:1001").ask("09 04 04 01 00 3c 63 6c 32", "03 05 01") // one client of that source
		d.ask("02 16")                                                      // beyond the burst of 2
		s.sleep(time.Second)
		d.ask("02 16", pingresp)
	})
}

func TestMQTTSN_X5_RateOfAClient(t *testing.T) {
	simulate(t, Config{RatePerClient: 1}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("02 16", pingresp)
		d.ask("02 16", pingresp)
		d.ask("02 16")
		s.sleep(time.Second)
		d.ask("02 16", pingresp)
	})
}

func TestMQTTSN_X6_RoamingAddressesLeaveNoState(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.sleeping("10.0.0.1:1000")
		for i := range 10000 {
			s.at(fmt.Sprintf("10.%d.%d.1:%d", 1+i%200, i/200, 1000+i)).send(wakeCl1)
		}
		s.sleep(time.Minute)
		if s.e.peers.len()+s.e.holders()+len(s.e.names)+s.e.perSource.Len() != 0 {
			t.Errorf("%d clients, %d ids, %d sources are left", s.e.peers.len(), s.e.holders(), s.e.perSource.Len())
		}
		s.at("10.0.0.9:1").ask("02 16", "02 18")
	})
}

func TestMQTTSN_X7_UnprovenAddressIsSentThreeTimesWhatItSent(t *testing.T) {
	simulate(t, Config{RatePerSource: Unlimited}, func(s *sim) {
		w := s.watch("")
		w.retain("a/b", strings.Repeat("x", 1000))
		d := s.at("198.51.100.1:1000") // a public address
		d.ask(connectCl1, connack)
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00", "09 0a 04 01 00 01 61 2f 62") // REGISTER is the proof
		s.sleep(40 * time.Second)
		sent := 3 + 8 + 9
		for _, b := range d.take() {
			sent += len(b)
		}
		if sent > 3*(9+8) {
			t.Fatalf("%d octets were sent to an unproven address for 17", sent)
		}
		if s.count("udp_amplification_refused_total", Name) == 0 {
			t.Error("nothing is counted as withheld")
		}
		d.send("07 0b 04 01 00 01 00")
		if got := d.take(); len(got) != 1 || len(got[0]) != 1009 {
			t.Fatalf("after the proof: % x", got)
		}
	})
}

func TestMQTTSN_X7_AddressProofKeys(t *testing.T) {
	for _, x := range []struct {
		proof, addr string
		proven      bool
	}{
		{"off", "198.51.100.1:1", true}, {"public", "198.51.100.1:1", false}, {"public", "10.0.0.1:1", true},
		{"public", "127.0.0.1:1", true}, {"on", "10.0.0.1:1", false}, {"on", "127.0.0.1:1", false},
	} {
		e := &endpoint{cfg: &Config{AddressProof: x.proof}}
		if a := e.budget(origin{addr: netip.MustParseAddrPort(x.addr)}); a.Proven() != x.proven {
			t.Errorf("address_proof %s, %s: proven %v", x.proof, x.addr, a.Proven())
		}
	}
}

func TestMQTTSN_X8_NoAnswerBeforeConnectIsLargerThanItsRequest(t *testing.T) {
	simulate(t, Config{UnsolicitedRate: Unlimited, RatePerSource: Unlimited}, func(s *sim) {
		rnd := rand.New(rand.NewPCG(1, 2))
		d := s.at("198.51.100.1:1000")
		for range 5000 {
			b := make([]byte, 2+rnd.IntN(12))
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			b[0], b[1] = byte(len(b)), byte(rnd.IntN(0x20))
			s.do(func() { s.e.Datagram(s.turn, d.addr, b, &s.out) })
			for _, a := range d.take() {
				if len(a) > len(b) {
					t.Fatalf("% x is answered with % x", b, a)
				}
			}
			if p := s.e.peers.get(origin{addr: d.addr}); p != nil {
				s.do(func() { p.forget(s.turn, core.Normal) })
			}
		}
	})
}

func TestMQTTSN_X9_WhoIsConnectedIsToldAndNothingElse(t *testing.T) {
	var log strings.Builder
	host := &adapters.Host{Log: slog.New(slog.NewTextHandler(&log, nil))}
	simulateHost(t, Config{}, host, core.Options{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("a\" b=c")
		h := s.handles[len(s.handles)-1]
		if !h.known {
			t.Error("not told as connected")
		}
		d.ask("08 0c 22 61 62 00 03 78", "07 0d 61 62 00 03 00")
		d.put(packet.Publish{QoS: 1, Kind: packet.Short, TopicID: 0x6162, MsgID: 4, Data: []byte("secret")})
		d.take()
		d.ask("02 18", "02 18")
		who := h.d.(adapters.Identified).Identity() // the loop asks after the end
		if !h.ended || who.Client != "a\" b=c" || who.Principal != core.Anonymous || who.Addr.String() != "10.0.0.1:1000" {
			t.Errorf("%+v", who)
		}
		if log.Len() > 0 {
			t.Errorf("log:\n%s", log.String())
		}
	})
}

func TestMQTTSN_X9_ARefusedLoginIsLoggedByWhoRefusesIt(t *testing.T) {
	var log strings.Builder
	host := &adapters.Host{Log: slog.New(slog.NewTextHandler(&log, nil)), Auth: loginFunc(func(adapters.Credentials) (*core.Principal, core.Reason) { return nil, core.NotAuthenticated })}
	simulateHost(t, Config{AuthPacket: true}, host, core.Options{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.put(packet.Connect{Clean: true, ProtocolID: 1, ClientID: []byte("a b")})
		s.sleep(time.Second)
		if log.Len() > 0 {
			t.Errorf("the authenticator tells the log, and here is a second line:\n%s", log.String())
		}
		d.put(packet.Auth{Method: []byte(packet.PLAIN), Data: []byte("\x00u\x00p")})
		s.sleep(time.Second)
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `msg=auth.denied reason=auth_plain protocol=mqttsn`) {
			t.Errorf("log:\n%s", text)
		}
	})
}

func TestMQTTSN_F1_ForwardedClientIsAnsweredThroughItsForwarder(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask("05 fe 01 0a 0b "+connectCl1, "05 fe 00 0a 0b "+connack)
		d.ask("05 fe 01 0a 0c 09 04 04 01 00 3c 63 6c 32", "05 fe 00 0a 0c "+connack)
		d.ask("05 fe 01 0a 0b 02 16", "05 fe 00 0a 0b 02 17")
		d.ask("02 16", "02 18") // the forwarder itself has no session
		if s.e.peers.len() != 2 {
			t.Errorf("%d clients", s.e.peers.len())
		}
	})
}

func TestMQTTSN_F2_SearchThroughAForwarder(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").ask("04 fe 02 0a 03 01 00", "04 fe 00 0a 03 02 01")
	})
}

func TestMQTTSN_F3_BadEncapsulationIsDropped(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		for _, bad := range []string{"02 fe", "04 fe 00 0a", "09 fe 00 0a 02 16", "04 fe 00 0a 04 fe 00 0b 02 16", "03 fe 00 02 16"} {
			d.ask(bad)
		}
		s.wantCount(5, "mqttsn_malformed_total", "forwarder")
	})
}

func TestMQTTSN_F4_ClientRoamsToAnotherForwarder(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		a, b := s.at("10.0.0.1:1000"), s.at("10.0.0.2:1000")
		a.ask("04 fe 01 0a "+connectCl1, "04 fe 00 0a "+connack)
		a.ask("04 fe 01 0a 04 18 00 1e", "04 fe 00 0a 02 18")
		b.ask("04 fe 01 0a "+wakeCl1, "04 fe 00 0a 02 17")
	})
}

func TestMQTTSN_F5_ForwarderOutsideTheListIsDropped(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("198.51.100.1:1000").ask("04 fe 01 0a 03 01 00")
		s.wantCount(1, "protocol_errors_total", Name, "forwarder")
	})
	t.Run("none", func(t *testing.T) {
		simulate(t, Config{Forwarders: []string{"none"}}, func(s *sim) { s.at("127.0.0.1:1000").ask("04 fe 01 0a 03 01 00") })
	})
	t.Run("any", func(t *testing.T) {
		simulate(t, Config{Forwarders: []string{"any"}}, func(s *sim) {
			s.at("198.51.100.1:1000").ask("04 fe 01 0a 03 01 00", "04 fe 00 0a 03 02 01")
		})
	})
}

func TestMQTTSN_F6_NodesOfAForwarderAreLimited(t *testing.T) {
	simulate(t, Config{MaxNodesPerForwarder: 1}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask("04 fe 01 0a "+connectCl1, "04 fe 00 0a "+connack)
		d.ask("04 fe 01 0b 09 04 04 01 00 3c 63 6c 32", "04 fe 00 0b 03 05 01")
		d.ask("04 fe 01 0a 02 18", "04 fe 00 0a 02 18")
		d.ask("04 fe 01 0b 09 04 04 01 00 3c 63 6c 32", "04 fe 00 0b 03 05 00")
	})
}

func newRoom(h *adapters.Host) (adapters.Room, error) { return New(h, Config{}) }

func TestSuiteOfEveryDatagramProtocol(t *testing.T) {
	t.Parallel()
	var script [][]byte
	for _, p := range []packet.Packet{
		packet.Connect{Clean: true, ProtocolID: 1, Duration: 60, ClientID: []byte("cl1")},
		packet.Subscribe{QoS: 1, MsgID: 1, Topic: packet.Topic{Name: []byte("a/b")}},
		packet.Register{MsgID: 2, Name: []byte("a/b")},
		packet.Publish{QoS: 2, TopicID: firstID, MsgID: 3, Data: []byte("x")},
		packet.Ack{Of: packet.PUBREL, MsgID: 3},
		packet.PingReq{},
	} {
		script = append(script, p.AppendTo(nil))
	}
	adaptertest.RunDatagram(t, adaptertest.DatagramSuite{
		Room: newRoom, Script: script,
		Farewell: func(said [][]byte) error {
			if len(said) != 1 || string(said[0]) != "\x02\x18" {
				return fmt.Errorf("at shutdown % x, want DISCONNECT", said)
			}
			return nil
		},
	})
}

// FuzzMQTTSN_X4_Endpoint feeds the gateway with mutated valid sequences (X4): the first
// octet of each piece is its length, the second chooses the sender.
func FuzzMQTTSN_X4_Endpoint(f *testing.F) {
	join := func(datagrams ...string) (b []byte) {
		for i, d := range datagrams {
			raw := unhex(f, d)
			b = append(append(b, byte(len(raw)), byte(i%2)), raw...)
		}
		return b
	}
	f.Add(join(connectCl1, connectCl1, "08 12 20 00 01 61 2f 62", "08 12 40 00 01 61 2f 23", "08 0c 40 04 01 00 03 78", "04 10 00 03"))
	f.Add(join(connectWill, "08 0c 62 61 62 00 00 78", willTopic, "03 01 00", willMsg, "02 16", "04 1a 00 76", "04 18 00 1e"))
	f.Add(join("0d 03 00 05 50 4c 41 49 4e 00 61 00 62", connectCl1, connectCl1, "0d 03 00 05 50 4c 41 49 4e 00 61 00 62", "02 16"))
	f.Add(join(connectCl1, "04 fe 01 0a "+connectCl1, "04 18 00 1e", wakeCl1, wakeCl1, "04 0f 00 01", "07 0b 04 01 00 01 02"))
	withAuth := func(h *adapters.Host) (adapters.Room, error) {
		return New(h, Config{AuthPacket: true, AllowPlain: true})
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		adaptertest.Test(t, withAuth, adaptertest.Options{}, func(_ *testing.T, d *adaptertest.Driver) {
			peers := [2]*adaptertest.Peer{d.NewPeer(), d.NewPeer()}
			for len(in) > 2 {
				n, who := int(in[0]), in[1]
				in = in[2:]
				n = min(n, len(in))
				peers[who%2].Send(in[:n])
				in = in[n:]
				d.Advance(time.Duration(who/2%32) * time.Second)
			}
		})
	})
}
