package amqp091

import (
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/entrepot/entrepot/adapters"
)

// Loops add and remove while operators list: everybody who is there all the time is listed once.
func TestAMQP_AQ18_ListsAreRightWhileConnectionsComeAndGo(t *testing.T) {
	t.Parallel()
	l := &Listener{connections: &connections{}}
	entry := func(port uint16) *listed {
		return &listed{info: &adapters.Info{Remote: netip.AddrPortFrom(netip.IPv6Loopback(), port), Local: netip.MustParseAddrPort("[::ffff:127.0.0.1]:5672")}}
	}
	for port := range uint16(100) {
		l.connections.add(entry(1000 + port))
	}
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 200 {
				x := entry(7) // all alike
				l.connections.add(x)
				l.connections.remove(x)
				l.connections.remove(x) // again: nothing
			}
		})
	}
	for range 50 {
		stay := 0
		var names []string
		for c := range l.Connections() {
			names = append(names, c.Name)
			if c.Remote.Port() >= 1000 {
				stay++
			}
		}
		if stay != 100 || !slices.IsSorted(names) || len(slices.Compact(names)) != len(names) {
			t.Fatalf("%d: %q", stay, names)
		}
	}
	work.Wait()
	if c, ok := l.Connection("[::1]:1042 -> 127.0.0.1:5672"); !ok || len(l.connections.all) != 100 || len(l.connections.by) != 100 || string(c.Properties) != "{}" {
		t.Errorf("%t, %d, %d, %+v", ok, len(l.connections.all), len(l.connections.by), c)
	}
	for i, x := range l.connections.all {
		if x.at != i || l.connections.by[x.name] != x {
			t.Errorf("%d: %+v", i, x)
		}
	}
}
