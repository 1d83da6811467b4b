package coap

import (
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// still is a loop for tests that call an endpoint themselves, on one
// goroutine.
type still struct{ made []*stillHandle }

type stillHandle struct {
	d     adapters.Driven
	at    core.Time
	ready atomic.Bool // the commit goroutine says so too
	ended bool
}

func (l *still) Handle(d adapters.Driven) adapters.PeerHandle {
	h := &stillHandle{d: d}
	l.made = append(l.made, h)
	return h
}

func (h *stillHandle) Ready(*core.Turn)    { h.ready.Store(true) }
func (h *stillHandle) Evict(core.Reason)   {}
func (h *stillHandle) TickAt(at core.Time) { h.at = at }
func (h *stillHandle) LoggingIn()          {}
func (h *stillHandle) Authenticated()      {}
func (h *stillHandle) Connected()          {}
func (h *stillHandle) Enter() bool         { return true }
func (h *stillHandle) Leave()              {}
func (h *stillHandle) Hurries(int) bool    { return false }
func (h *stillHandle) Ended(core.Reason)   { h.ended = true }

// rig is an endpoint without a loop.
type rig struct {
	ep   *Endpoint
	loop *still
	turn *core.Turn
	out  adapters.Output
	room *Room
}

func newRig(tb testing.TB, c Config) *rig {
	tb.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	router, err := core.New(core.Options{Store: adaptertest.NewStore(), Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(router.Close)
	room, err := New(&adapters.Host{Router: router, Log: log, Limits: adapters.Limits{}.WithDefaults(), Metrics: adapters.NewMetrics()}, c)
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{loop: new(still), turn: router.NewTurn(nil), room: room}
	r.ep = room.Listen(r.loop, adapters.ListenerInfo{}).(*Endpoint)
	return r
}

// give delivers a datagram and does the wake-ups that follow.
func (r *rig) give(from netip.AddrPort, in []byte) {
	r.ep.Datagram(r.turn, from, in, &r.out)
	r.wake()
}

func (r *rig) wake() {
	for again := true; again; {
		again = false
		for i := 0; i < len(r.loop.made); i++ {
			if h := r.loop.made[i]; h.ready.Swap(false) && !h.ended {
				again = true
				h.d.Wake(r.turn, &r.out)
			}
		}
	}
}

// FuzzEndpoint is S6: a whole endpoint fed with exchanges. The input is cut
// into datagrams by length octets, each with an octet that says from whom; a
// length of 0 lets time pass. What comes out must parse, stay within the
// largest datagram, and at the end nothing may be held.
func FuzzEndpoint(f *testing.F) {
	seed := func(datagrams ...[]byte) {
		var b []byte
		for _, d := range datagrams {
			b = append(append(b, byte(len(d)), 1), d...)
		}
		f.Add(b)
	}
	get := []byte("\x41\x01\x00\x01o\x60\x52ps\x01a")
	put := []byte("\x41\x03\x00\x02p\xb2ps\x01a\xffhello")
	seed(get, put, []byte("\x70\x00\x00\x01"))
	seed(get, put, put, nil, nil, []byte("\x60\x00\x12\x34"))
	seed([]byte("\x40\x03\x00\x03\xb2ps\x01a\xd1\x03\x08\xff0123456789abcdef"), []byte("\x40\x03\x00\x04\xb2ps\x01a\xd1\x03\x10\xffend"))
	seed([]byte("\x41\x01\x00\x05q\x60\x52ps\x06$queue\x01j"), []byte("\x40\x02\x00\x06\xb2ps\x06$queue\x01j\xffx"))
	seed([]byte("\x40\x01\x00\x07\xbb.well-known\x04core"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newRig(t, Config{AddressProof: "off", MaxEndpoints: 3, MaxBody: 4096, ObserveQueue: 4})
		r.turn.Begin()
		base := r.turn.Now
		for len(in) >= 2 {
			n, who := int(in[0]), in[1]
			in = in[2:]
			n = min(n, len(in))
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, who & 7}), 5683)
			if n == 0 {
				base = base.After(time.Duration(who) * time.Second)
				r.tick(base)
			} else {
				r.turn.Begin()
				r.turn.Now = base
				r.give(from, in[:n])
			}
			in = in[n:]
			r.inspect(t)
		}
		r.ep.Close(r.turn, core.ShuttingDown, &r.out)
		r.turn.End()
		if len(r.ep.peers) != 0 || r.room.memory.used.Load() != 0 || r.room.observes.value() != 0 || r.room.entries.value() != 0 || len(r.ep.sources) != 0 {
			t.Fatalf("left: %d peers, %d octets, %d observations, %d ids", len(r.ep.peers), r.room.memory.used.Load(), r.room.observes.value(), r.room.entries.value())
		}
	})
}

// tick calls what is due.
func (r *rig) tick(now core.Time) {
	r.turn.Begin()
	r.turn.Now = now
	for _, h := range r.loop.made {
		if !h.ended && h.at != 0 && h.at <= now {
			h.at = 0
			h.d.Tick(r.turn, &r.out)
		}
	}
	r.wake()
	r.turn.End()
}

// inspect checks and empties the output.
func (r *rig) inspect(t *testing.T) {
	for _, g := range r.out.Datagrams() {
		var m message.Message
		b := r.out.B[g.Start:g.End]
		if err := message.Parse(b, &m); err != nil || len(b) > 1152 {
			t.Fatalf("sent %x: %v", b, err)
		}
		if v, n := m.Screen(); v != message.Clean {
			t.Fatalf("sent a bad %v: %v", n, &m)
		}
	}
	r.out.Reset()
}
