package limit_test

import (
	"net/netip"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

var (
	loopback = netip.MustParseAddr("127.0.0.1")
	far      = netip.MustParseAddr("192.0.2.1")
	far6     = netip.MustParseAddr("2001:db8::1")
	near6    = netip.MustParseAddr("2001:db8::2") // same /64
)

func TestGate_L4_PlacesOfTheProcess(t *testing.T) {
	t.Parallel()
	g := limit.NewGate(adapters.Limits{PreauthConnections: 2})
	for range 2 {
		if r := g.Admit(loopback, 1); r != limit.Admitted {
			t.Fatal(r)
		}
	}
	if r := g.Admit(loopback, 1); r != limit.Places {
		t.Fatalf("third place: %q", r)
	}
	g.Authenticated(loopback)
	if r := g.Admit(loopback, 1); r != limit.Admitted {
		t.Fatalf("after a login: %q", r)
	}
}

func TestGate_L4_PlacesOfAnAddress(t *testing.T) {
	t.Parallel()
	g := limit.NewGate(adapters.Limits{PreauthPerAddress: 1})
	if r := g.Admit(far6, 1); r != limit.Admitted {
		t.Fatal(r)
	}
	if r := g.Admit(near6, 1); r != limit.Places {
		t.Errorf("same /64: %q", r)
	}
	if r := g.Admit(far, 1); r != limit.Admitted {
		t.Errorf("other address: %q", r)
	}
	g.Authenticated(far6)
	if r := g.Admit(near6, 1); r != limit.Admitted {
		t.Errorf("after the place was given back: %q", r)
	}
	for range 10 {
		if r := g.Admit(loopback, 1); r != limit.Admitted {
			t.Errorf("loopback is exempt: %q", r)
		}
	}
}

func TestGate_L4_TrustedMayBeNobodyOrOthers(t *testing.T) {
	t.Parallel()
	g := limit.NewGate(adapters.Limits{PreauthPerAddress: 1, Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for addr, want := range map[netip.Addr]limit.Refusal{loopback: limit.Places, far: limit.Admitted, {}: limit.Admitted} {
		if r := g.Admit(addr, 1); r != limit.Admitted {
			t.Errorf("%v: first: %q", addr, r)
		}
		if r := g.Admit(addr, 1); r != want {
			t.Errorf("%v: second: %q, want %q", addr, r, want)
		}
	}
}

func TestGate_L5_Connections(t *testing.T) {
	t.Parallel()
	g := limit.NewGate(adapters.Limits{Connections: 1})
	if r := g.Admit(loopback, 1); r != limit.Admitted {
		t.Fatal(r)
	}
	g.Authenticated(loopback)
	if r := g.Admit(loopback, 1); r != limit.Connections {
		t.Fatalf("second connection: %q", r)
	}
	g.Left()
	if r := g.Admit(loopback, 1); r != limit.Admitted {
		t.Fatalf("after one left: %q", r)
	}
	if all, un := g.Open(); all != 1 || un != 1 {
		t.Errorf("open %d, %d", all, un)
	}
}

func TestGate_L5_DatagramPeersAreConnectionsWithoutADescriptor(t *testing.T) {
	t.Parallel()
	g := limit.NewGate(adapters.Limits{Connections: 4})
	g.SetDescriptors(2)
	for range 2 {
		if !g.Enter() {
			t.Fatal("no place for a peer")
		}
	}
	if r := g.Admit(loopback, 1); r != limit.Admitted {
		t.Fatal(r)
	}
	g.Authenticated(loopback)
	if !g.Enter() || g.Enter() {
		t.Fatal("four in all")
	}
	if r := g.Admit(loopback, 1); r != limit.Connections {
		t.Fatalf("a fifth: %q", r)
	}
	for range 3 {
		g.Leave()
	}
	if r := g.Admit(loopback, 1); r != limit.Admitted {
		t.Fatal(r)
	}
	g.Authenticated(loopback)
	if r := g.Admit(loopback, 1); r != limit.Connections {
		t.Fatalf("a third descriptor: %q", r)
	}
	if !g.Enter() {
		t.Error("a peer needs none")
	}
}

func TestGate_L6_RateOfAnAddress(t *testing.T) {
	t.Parallel()
	g := limit.NewGate(adapters.Limits{AcceptRateAddress: 10, PreauthPerAddress: 1000})
	admitted := 0
	for range 50 {
		if g.Admit(far, 1000) == limit.Admitted {
			admitted++
		}
	}
	if admitted != 20 {
		t.Errorf("burst: %d of 20", admitted)
	}
	if r := g.Admit(far, 1000); r != limit.RatePerPeer {
		t.Errorf("beyond: %q", r)
	}
	if r := g.Admit(far, 1100); r != limit.Admitted {
		t.Errorf("a tenth of a second later: %q", r)
	}
}

func TestBucketRefillsToItsBurst(t *testing.T) {
	t.Parallel()
	var b limit.Bucket
	now := core.Time(5000)
	for i := range 4 {
		if !b.Take(now, 1, 2, 4) {
			t.Fatalf("token %d", i)
		}
	}
	if b.Take(now, 1, 2, 4) {
		t.Fatal("took a token that is not there")
	}
	if at := b.Wait(now, 2, 4); at != now+500 {
		t.Errorf("next token at +%d ms, want 500", at-now)
	}
	if b.Take(now+499, 1, 2, 4) || !b.Take(now+500, 1, 2, 4) {
		t.Error("the token came at another time")
	}
	if b.Full(now+600, 2) || !b.Full(now+10_000, 2) {
		t.Error("Full")
	}
}

func TestBucketOfAnyRate(t *testing.T) {
	t.Parallel()
	const endless = 1 << 30
	var b limit.Bucket
	for now := core.Time(1_700_000_000_000); now < 1_700_000_000_100; now++ {
		if at := b.Wait(now, endless, 2*endless); at != now {
			t.Fatalf("waits %d ms", at-now)
		}
		if !b.Take(now, 1, endless, 2*endless) {
			t.Fatal("refused")
		}
	}
}

func TestAmplification_S9_ThreeTimesUntilProven(t *testing.T) {
	t.Parallel()
	a := limit.NewAmplification(far)
	if a.Allow(1) {
		t.Fatal("allowed before anything came")
	}
	a.Received(10)
	if !a.Allow(30) || a.Allow(1) {
		t.Fatal("not exactly three times")
	}
	a.Prove()
	if !a.Allow(1 << 20) {
		t.Fatal("proven")
	}
	for _, s := range []string{"127.0.0.1", "10.1.2.3", "192.168.7.1", "fe80::1", "fd00::1", "::ffff:10.0.0.1"} {
		if a := limit.NewAmplification(netip.MustParseAddr(s)); !a.Proven() {
			t.Errorf("%s is not trusted", s)
		}
	}
}

func TestPeers_L24(t *testing.T) {
	t.Parallel()
	p := limit.NewPeers(limit.Bound{N: 5, Key: "all"}, limit.Bound{N: 2, Key: "address"})
	for _, x := range []struct {
		from netip.Addr
		want string // the key of the bound that is reached
	}{
		{far, ""}, {far, ""}, {far, "address"},
		{loopback, ""}, {loopback, ""}, {loopback, "address"}, // a count: nobody is exempt
		{far6, ""}, {near6, "all"},
	} {
		got := ""
		if b := p.Add(x.from); b != nil {
			got = b.Key
			if want := map[string]limit.Refusal{"all": "udp_peers", "address": "udp_peers_per_address"}[got]; b.Refusal() != want {
				t.Errorf("%s is called %s", got, b.Refusal())
			}
		}
		if got != x.want {
			t.Errorf("%v: %q, want %q", x.from, got, x.want)
		}
	}
	p.Remove(far)
	if b := p.Add(near6); b != nil || p.Len() != 5 {
		t.Errorf("a place that was given back: %v", b)
	}
	p.SetLimits(limit.Bound{N: 6}, limit.Bound{N: 3})
	if b := p.Add(far6); b != nil {
		t.Errorf("other bounds: %v", b)
	}
}

func TestTheSmallerBoundHolds(t *testing.T) {
	t.Parallel()
	a, b := limit.Bound{N: 3, Key: "a"}, limit.Bound{N: 2, Key: "b"}
	if got := limit.Smaller(a, b); got != b {
		t.Error(got)
	}
	if got := limit.Smaller(limit.Bound{N: 2, Key: "own"}, b); got.Key != "own" {
		t.Error(got)
	}
}

func BenchmarkGate(b *testing.B) {
	g := limit.NewGate(adapters.Limits{})
	for b.Loop() {
		g.Admit(loopback, 1)
		g.Authenticated(loopback)
		g.Left()
	}
}

func TestGate_U17_AnAddressThatIsKnownLater(t *testing.T) {
	t.Parallel()
	g := limit.NewGate(adapters.Limits{PreauthPerAddress: 2, PreauthConnections: 100})
	for range 3 {
		if r := g.Admit(netip.Addr{}, 1); r != limit.Admitted {
			t.Fatal(r)
		}
	}
	for i, want := range []limit.Refusal{limit.Admitted, limit.Admitted, limit.Places} {
		if r := g.Locate(far, 1); r != want {
			t.Fatalf("connection %d: %q, want %q", i, r, want)
		}
	}
	g.Authenticated(netip.Addr{}) // the refused one
	g.Left()
	g.Authenticated(far) // gives its place back
	if r := g.Admit(netip.Addr{}, 1); r != limit.Admitted {
		t.Fatal(r)
	}
	if r := g.Locate(far, 1); r != limit.Admitted {
		t.Errorf("after a login: %q", r)
	}
	for range 2 {
		g.Authenticated(far)
	}
	for range 3 {
		g.Left()
	}
	if all, waiting := g.Open(); all != 0 || waiting != 0 {
		t.Errorf("%d, %d", all, waiting)
	}
}
