package adaptertest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// DatagramSuite describes a datagram protocol to [RunDatagram].
type DatagramSuite struct {
	Room    NewRoom
	Options Options
	// Script is what a well-behaved client sends, a datagram each, the login
	// first where there is one.
	Script [][]byte
	// Farewell checks what a peer of the script is told at shutdown; nil:
	// anything, nothing included.
	Farewell func(said [][]byte) error
}

// RunDatagram checks what every datagram protocol must do.
func RunDatagram(t *testing.T, s DatagramSuite) {
	t.Helper()
	for _, rule := range []struct {
		name string
		f    func(*testing.T, DatagramSuite)
	}{
		{"S9_GarbageIsAnsweredWithAtMostThreeTimesItsSize", testDatagramGarbage},
		{"S9_OneAnswerToAFirstDatagram", testDatagramOnce},
		{"TruncatedDatagrams", testDatagramTruncated},
		{"LossOfEachDatagram", testDatagramLoss},
		{"SilenceEndsEverything", testDatagramSilence},
		{"ShutdownIsAnswered", testDatagramShutdown},
	} {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			rule.f(t, s)
		})
	}
}

func (s DatagramSuite) test(t *testing.T, f func(t *testing.T, d *Driver)) {
	Test(t, s.Room, s.Options, f)
}

// follow sends the script and returns the peer.
func (s DatagramSuite) follow(d *Driver) *Peer {
	p := d.NewPeer()
	for _, b := range s.Script {
		p.Send(b)
	}
	return p
}

func testDatagramGarbage(t *testing.T, s DatagramSuite) {
	s.test(t, func(t *testing.T, d *Driver) {
		rnd := rand.New(rand.NewPCG(5, 6))
		for i := range 2000 {
			p := d.NewPeer()
			in := garbage(rnd, []int{4, 16, 300}[i%3])
			p.Send(in)
			d.Advance(20 * time.Millisecond)
			said := 0
			for _, b := range p.RecvAll() {
				said += len(b)
			}
			if said > 3*len(in) {
				t.Fatalf("%x: answered with %d bytes to %d", in, said, len(in))
			}
		}
	})
}

func testDatagramOnce(t *testing.T, s DatagramSuite) {
	s.test(t, func(t *testing.T, d *Driver) {
		p := d.NewPeer()
		p.Send(s.Script[0])
		d.Advance(60 * time.Second)
		said := 0
		for _, b := range p.RecvAll() {
			said += len(b)
		}
		if said > 3*len(s.Script[0]) {
			t.Errorf("an address that never answered was sent %d bytes for %d", said, len(s.Script[0]))
		}
	})
}

func testDatagramTruncated(t *testing.T, s DatagramSuite) {
	s.test(t, func(t *testing.T, d *Driver) {
		for _, whole := range s.Script {
			for n := range whole {
				p := d.NewPeer()
				p.Send(whole[:n])
				p.Send(append(append([]byte(nil), whole...), whole[:n]...))
			}
		}
	})
}

func testDatagramLoss(t *testing.T, s DatagramSuite) {
	for lost := range 3 * len(s.Script) {
		s.test(t, func(t *testing.T, d *Driver) {
			d.Network = func(p Packet) Fate {
				return Fate{Drop: p.N == lost, Extra: p.N % 2}
			}
			s.follow(d)
			d.Advance(2 * time.Minute)
		})
	}
}

func testDatagramSilence(t *testing.T, s DatagramSuite) {
	s.test(t, func(t *testing.T, d *Driver) {
		p := s.follow(d)
		d.Advance(10 * time.Minute)
		p.RecvAll()
		before := d.sent
		d.Advance(10 * time.Minute)
		if n := d.sent - before; n > 100 {
			t.Errorf("%d datagrams in ten minutes to a peer that says nothing", n)
		}
	})
}

func testDatagramShutdown(t *testing.T, s DatagramSuite) {
	s.test(t, func(t *testing.T, d *Driver) {
		p := s.follow(d)
		p.RecvAll()
		d.Shutdown()
		if s.Farewell != nil {
			if err := s.Farewell(p.RecvAll()); err != nil {
				t.Error(err)
			}
		}
		for _, k := range d.links {
			if k.tick != 0 && !k.dead {
				t.Error("a peer asks for a tick after Close")
			}
		}
	})
}
