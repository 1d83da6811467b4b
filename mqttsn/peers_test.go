package mqttsn

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
)

// Peers whose origins have the same hash are still told apart, whichever comes
// or goes first.
func TestPeersOfOneHashAreToldApart(t *testing.T) {
	t.Parallel()
	e := new(endpoint)
	at := netip.MustParseAddrPort("10.0.0.1:1000")
	secure := &adapters.Association{Remote: at}
	of := []origin{{addr: at}, {addr: at, node: "n"}, {addr: at, secure: secure}}
	for order := range 6 {
		var x peers
		all := []*peer{}
		for _, o := range of {
			p := e.newPeer(o, "", limit.Amplification{})
			x.putAt(7, p)
			all = append(all, p)
		}
		if order%2 == 1 {
			slices.Reverse(all)
		}
		for n := range all {
			p := all[(n+order)%3]
			if x.len() != 3-n || x.getAt(7, p.at()) != p || x.getAt(7, origin{addr: at, node: "o"}) != nil {
				t.Fatalf("%d: not what was put", order)
			}
			x.removeAt(7, p.at())
			x.removeAt(7, p.at())
			if x.getAt(7, p.at()) != nil {
				t.Fatalf("%d: still there", order)
			}
			if left := len(slices.Collect(x.all())); left != 2-n {
				t.Fatalf("%d: %d are left", order, left)
			}
		}
	}
}

// Clients that share a place in the table of identifiers are still told apart,
// whichever goes first.
func TestClientsOfOneHashAreToldApart(t *testing.T) {
	t.Parallel()
	for order := range 6 {
		e := &endpoint{names: map[uint64]*peer{}}
		all := []*peer{}
		for _, id := range []string{"cl1", "cl1", "other"} {
			p := e.newPeer(origin{}, id, limit.Amplification{})
			p.known, p.next = &predefined{}, e.names[hashOf("cl1")]
			e.names[hashOf("cl1")] = p
			all = append(all, p)
		}
		if got := slices.Collect(e.withID("cl1")); !slices.Equal(got, []*peer{all[1], all[0]}) {
			t.Fatalf("%d clients", len(got))
		}
		all[2].id = "cl1" // so that it is looked for there
		if order%2 == 1 {
			slices.Reverse(all)
		}
		for n := range all {
			e.unlist(all[(n+order)%3])
			if left := slices.Collect(e.withID("cl1")); len(left) != 2-n || slices.Contains(left, all[(n+order)%3]) {
				t.Fatalf("%d: %d are left", order, len(left))
			}
		}
		if len(e.names) != 0 {
			t.Errorf("%d: a place is kept", order)
		}
	}
}

// Logs show the address that a client came from, wherever it is.
func TestTheAddressOfASessionIsTheFirstOne(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.sleeping("10.0.0.1:1000")
		s.at("10.0.0.2:2000").ask(wakeCl1, pingresp)
		p := s.e.first("cl1")
		if at := p.at().addr.String(); at != "10.0.0.2:2000" || p.PeerAddr() != "10.0.0.1:1000" {
			t.Errorf("it is at %s and came from %s", at, p.PeerAddr())
		}
		s.at("10.0.0.1:1000").ask(wakeCl1, pingresp)
		if p.moved != nil {
			t.Error("it is where it came from, and elsewhere")
		}
	})
}
