package mqttsn

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// with is a device that has proven by DTLS to hold the key of an identity.
func (s *sim) with(identity, addr string) *device {
	d := s.at(addr)
	d.secure = &adapters.Association{Remote: d.addr, PSKIdentity: identity}
	return d
}

// hangUp ends the association without DISCONNECT.
func (d *device) hangUp() {
	d.s.do(func() { d.s.e.Gone(d.s.turn, d.secure, core.ConnectionLost, &d.s.out) })
}

// byIdentity lets in whoever has proven an identity that is not "stranger",
// as the user of that name.
type byIdentity struct{ seen chan adapters.Credentials }

func (a byIdentity) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	if a.seen != nil {
		a.seen <- c
	}
	if c.PSKIdentity == "" && c.Certificate == nil || c.PSKIdentity == "stranger" {
		return nil, core.NotAuthenticated
	}
	return &core.Principal{User: c.PSKIdentity, ClientID: c.ClientID}, core.OK
}

func TestMQTTSN_Section10_TheProvenIdentityIsTheUser(t *testing.T) {
	seen := make(chan adapters.Credentials, 10)
	simulateHost(t, Config{}, &adapters.Host{Auth: byIdentity{seen}}, core.Options{}, func(s *sim) {
		s.with("dev1", "198.51.100.1:1000").connect("cl1")
		if c := <-seen; c.PSKIdentity != "dev1" || c.ClientID != "cl1" || !c.TLS || c.Addr != "198.51.100.1:1000" || c.Loopback {
			t.Errorf("%+v", c)
		}
		cert := s.with("", "198.51.100.2:1000")
		cert.secure.Certificate = &adapters.Certificate{CommonName: "sensor"}
		cert.connect("cl2")
		if c := <-seen; c.Certificate == nil || c.Certificate.CommonName != "sensor" {
			t.Errorf("%+v", c)
		}
		s.with("stranger", "198.51.100.3:1000").ask("09 04 04 01 00 3c 63 6c 33", "03 05 03")
		<-seen
	})
}

func TestMQTTSN_X7_DTLSProvesTheAddress(t *testing.T) {
	simulateHost(t, Config{AddressProof: "on"}, &adapters.Host{Auth: byIdentity{}}, core.Options{}, func(s *sim) {
		d, w := s.with("dev1", "198.51.100.1:1000").connect("cl1"), s.watch("")
		d.ask("08 12 00 00 01 61 2f 62", "08 13 00 04 01 00 01 00")
		for range 20 { // more than three times what it sent
			w.publishQoS("a/b", "0123456789", 0)
			d.want("11 0c 00 04 01 00 00 30 31 32 33 34 35 36 37 38 39")
		}
		s.wantCount(0, "mqttsn_unproven_bytes_total")
	})
}

// Two associations at one address are two clients.
func TestMQTTSN_AssociationsOfOneAddressDoNotMix(t *testing.T) {
	simulateHost(t, Config{}, &adapters.Host{Auth: byIdentity{}}, core.Options{}, func(s *sim) {
		const addr = "198.51.100.1:1000"
		first := s.with("dev1", addr).connect("cl1")
		second := s.with("dev2", addr)
		second.ask("02 16", "02 18") // it is not connected
		second.connect("cl1")        // the same name of another user
		first.ask("02 16", pingresp)
		second.ask("02 16", pingresp)
		if s.e.peers.len() != 2 || s.e.Idle(first.secure) || s.e.Idle(second.secure) {
			t.Errorf("%d peers", s.e.peers.len())
		}
		first.hangUp()
		second.ask("02 16", pingresp)
		if s.e.peers.len() != 1 || !s.e.Idle(first.secure) {
			t.Errorf("%d peers", s.e.peers.len())
		}
	})
}

func TestMQTTSN_AnAssociationThatEndsIsALostClient(t *testing.T) {
	simulateHost(t, Config{}, &adapters.Host{Auth: byIdentity{}}, core.Options{}, func(s *sim) {
		w := s.watchAs("will", &core.Principal{User: "dev1"})
		d := s.with("dev1", "198.51.100.1:1000")
		d.ask("09 04 0c 01 00 3c 63 6c 31", "02 06")
		d.ask("07 07 00 77 69 6c 6c", "02 08")
		d.ask("04 09 62 79", connack)
		node := s.with("dev1", "198.51.100.1:1001")
		node.secure.Remote = netip.MustParseAddrPort("127.0.0.1:5") // a forwarder
		node.addr = node.secure.Remote
		node.ask("04 fe 00 07 09 04 04 01 00 3c 63 6c 39", "04 fe 00 07 03 05 00")
		d.hangUp()
		w.want("will=by")
		node.hangUp()
		if s.e.peers.len() != 0 || len(s.e.perNode) != 0 {
			t.Errorf("%d peers, %d forwarders", s.e.peers.len(), len(s.e.perNode))
		}
	})
}

// A sleeping client may end its association and shake hands anew to wake up.
func TestMQTTSN_K12_OverDTLSOnlyTheSameIdentityMoves(t *testing.T) {
	simulateHost(t, Config{}, &adapters.Host{Auth: byIdentity{}}, core.Options{}, func(s *sim) {
		d := s.with("dev1", "198.51.100.1:1000").connect("cl1")
		d.ask("04 18 00 1e", "02 18")
		d.hangUp()
		s.sleep(10 * time.Second)
		s.with("dev2", "198.51.100.2:1000").ask(wakeCl1, "02 18") // as if there were no such client
		s.at("198.51.100.3:1000").ask(wakeCl1, "02 18")
		s.wantCount(0, "mqttsn_roams_total", "refused")
		again := s.with("dev1", "198.51.100.4:1000")
		again.ask(wakeCl1, pingresp)
		again.ask("09 04 04 01 00 3c 63 6c 31", connack)
		s.with("dev1", "198.51.100.5:1000").ask(wakeCl1) // it is active now
		again.ask("02 16", pingresp)
	})
}

func TestMQTTSN_K12_AnyOverDTLSMovesAnActiveClientOfTheSameIdentity(t *testing.T) {
	simulateHost(t, Config{Roaming: "any"}, &adapters.Host{Auth: byIdentity{}}, core.Options{}, func(s *sim) {
		d := s.with("dev1", "198.51.100.1:1000").connect("cl1")
		s.with("dev2", "198.51.100.2:1000").ask(wakeCl1, "02 18")
		d.ask("02 16", pingresp)
		s.with("dev1", "198.51.100.4:1000").ask(wakeCl1, pingresp)
		d.ask("02 16", "02 18")
	})
}

func TestMQTTSN_K12_AnyWithoutAProvenIdentityMovesNobody(t *testing.T) {
	simulate(t, Config{Roaming: "any"}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("cl1")
		s.at("10.0.0.2:1000").ask(wakeCl1)
	})
}
