package mqttsn

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// sim is the simulated network: one endpoint, its loop, a router, and what
// was sent to each address. The test's goroutine is the loop. It runs in a
// synctest bubble, so that time is virtual and equality needs no tolerance.
type sim struct {
	*testing.T
	host    *adapters.Host
	router  *core.Router
	store   *mapStore
	turn    *core.Turn
	out     adapters.Output
	e       *endpoint
	sentTo  map[netip.AddrPort][][]byte
	handles []*simHandle
	clients int // that were connected
	places  int // for connections; 0: as many as come
	rate    int // of a client's publishes in a second; 0: any
	mu      sync.Mutex
	ready   []*simHandle
}

// simulate runs a test against an endpoint with the given configuration.
func simulate(t *testing.T, c Config, fn func(s *sim)) {
	t.Helper()
	simulateHost(t, c, &adapters.Host{}, core.Options{}, fn)
}

func simulateHost(t *testing.T, c Config, h *adapters.Host, o core.Options, fn func(s *sim)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sim{T: t, host: h, store: &mapStore{m: map[string][]byte{}}, sentTo: map[netip.AddrPort][][]byte{}}
		o.Store = s.store
		var err error
		if s.router, err = core.New(o); err != nil {
			t.Fatal(err)
		}
		h.Router, h.Metrics = s.router, adapters.NewMetrics()
		room, err := New(h, c)
		if err != nil {
			t.Fatal(err)
		}
		s.turn = s.router.NewTurn(s)
		s.e = room.Listen(s, adapters.ListenerInfo{Listener: "mqttsn://127.0.0.1:1884", Scheme: "mqttsn"}).(*endpoint)
		defer func() { s.router.Close() }()
		defer func() { s.do(func() { s.e.Close(s.turn, core.ShuttingDown, &s.out) }) }()
		defer func() { // what peers share stays empty
			if !reflect.DeepEqual(s.e.quiet, traffic{}) || !reflect.DeepEqual(s.e.plain, rare{}) {
				t.Errorf("%+v, %+v", s.e.quiet, s.e.plain)
			}
		}()
		fn(s)
	})
}

// restart ends the gateway without a word and starts it on the same store.
func (s *sim) restart() {
	s.Helper()
	s.router.Close()
	var err error
	if s.router, err = core.New(core.Options{Store: s.store}); err != nil {
		s.Fatal(err)
	}
	s.host.Router = s.router
	room, err := New(s.host, *s.e.cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.handles, s.turn = nil, s.router.NewTurn(s)
	s.e = room.Listen(s, adapters.ListenerInfo{}).(*endpoint)
}

type simHandle struct {
	s     *sim
	d     adapters.Driven
	tick  core.Time
	woken bool
	ended bool
	known bool // Connected was called
	evict core.Reason

	placed    bool // Enter found a place
	published limit.Bucket
}

// Handle registers a peer.
func (s *sim) Handle(d adapters.Driven) adapters.PeerHandle {
	h := &simHandle{s: s, d: d}
	s.handles = append(s.handles, h)
	return h
}

func (h *simHandle) Ready(*core.Turn) { h.mark(core.OK) }

func (h *simHandle) Evict(r core.Reason) { h.mark(r) }

func (h *simHandle) mark(r core.Reason) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	if r != core.OK {
		h.evict = r
	}
	if !h.woken {
		h.woken = true
		h.s.ready = append(h.s.ready, h)
	}
}

func (h *simHandle) TickAt(at core.Time) { h.tick = at }
func (h *simHandle) LoggingIn()          {}
func (h *simHandle) Authenticated()      { h.s.clients++ }

func (h *simHandle) Connected() { h.known = true }

// Enter holds the sim's own number of places.
func (h *simHandle) Enter() bool {
	n := 0
	for _, x := range h.s.handles {
		if x.placed && !x.ended {
			n++
		}
	}
	h.placed = h.placed || h.s.places == 0 || n < h.s.places
	return h.placed
}

func (h *simHandle) Leave() { h.placed = false }

// Hurries holds the sim's own rate.
func (h *simHandle) Hurries(int) bool {
	return h.s.rate > 0 && !h.published.Take(h.s.turn.Now, 1, h.s.rate, h.s.rate)
}

func (h *simHandle) Ended(core.Reason) { h.tick, h.ended = 0, true }

// do runs one turn, then what it woke, until everything rests.
func (s *sim) do(fn func()) {
	s.pass(fn)
	for {
		synctest.Wait()
		s.mu.Lock()
		ready := s.ready
		s.ready = nil
		for _, h := range ready {
			h.woken = false
		}
		s.mu.Unlock()
		if len(ready) == 0 {
			return
		}
		for _, h := range ready {
			if h.ended { // called no more
				continue
			}
			s.pass(func() {
				if r := h.evict; r != core.OK {
					h.evict = core.OK
					h.d.Evict(s.turn, r, &s.out)
					return
				}
				h.d.Wake(s.turn, &s.out)
			})
		}
	}
}

func (s *sim) pass(fn func()) {
	s.turn.Begin()
	fn()
	s.turn.End()
	for _, g := range s.out.Datagrams() {
		s.sentTo[g.To] = append(s.sentTo[g.To], bytes.Clone(s.out.B[g.Start:g.End]))
	}
	s.out.Reset()
}

// sleep lets time pass, tick by tick.
func (s *sim) sleep(d time.Duration) {
	s.Helper()
	end := time.Now().Add(d)
	for {
		var next *simHandle
		for _, h := range s.handles {
			if h.tick != 0 && (next == nil || h.tick < next.tick) {
				next = h
			}
		}
		if next == nil || s.router.Clock().Wall(next.tick).After(end) {
			break
		}
		time.Sleep(time.Until(s.router.Clock().Wall(next.tick)))
		next.tick = 0
		s.do(func() { next.d.Tick(s.turn, &s.out) })
	}
	time.Sleep(time.Until(end))
	s.do(func() {})
}

// device is a client made of raw datagrams.
type device struct {
	s      *sim
	addr   netip.AddrPort
	secure *adapters.Association // nil: plain
}

// at is a device with an address. "10..." is private, "198.51.100..." public.
func (s *sim) at(addr string) *device { return &device{s: s, addr: netip.MustParseAddrPort(addr)} }

// send sends datagrams written in hexadecimal, one each.
func (d *device) send(datagrams ...string) {
	d.s.Helper()
	for _, h := range datagrams {
		b := unhex(d.s.T, h)
		d.s.do(func() {
			if d.secure != nil {
				d.s.e.Secure(d.s.turn, d.secure, b, &d.s.out)
			} else {
				d.s.e.Datagram(d.s.turn, d.addr, b, &d.s.out)
			}
		})
	}
}

// put sends packets.
func (d *device) put(ps ...packet.Packet) {
	for _, p := range ps {
		d.send(hex.EncodeToString(p.AppendTo(nil)))
	}
}

// take is what was received since the last look.
func (d *device) take() [][]byte {
	got := d.s.sentTo[d.addr]
	d.s.sentTo[d.addr] = nil
	return got
}

// want compares everything that was received since the last look.
func (d *device) want(datagrams ...string) {
	d.s.Helper()
	got := d.take()
	var have []string
	for _, b := range got {
		have = append(have, spaced(b))
	}
	for i, w := range datagrams {
		datagrams[i] = spaced(unhex(d.s.T, w))
	}
	if !slices.Equal(have, datagrams) {
		d.s.Fatalf("received\n  %s\nwant\n  %s", strings.Join(have, "\n  "), strings.Join(datagrams, "\n  "))
	}
}

// ask sends one datagram and compares the answers.
func (d *device) ask(datagram string, answers ...string) {
	d.s.Helper()
	d.send(datagram)
	d.want(answers...)
}

// connect opens a clean session of 60 s with the given client id.
func (d *device) connect(id string) *device {
	d.s.Helper()
	d.put(packet.Connect{Clean: true, ProtocolID: 1, Duration: 60, ClientID: []byte(id)})
	d.want("03 05 00")
	return d
}

// reconnect opens a session that stays.
func (d *device) reconnect(id string) *device {
	d.s.Helper()
	d.put(packet.Connect{ProtocolID: 1, Duration: 60, ClientID: []byte(id)})
	return d
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func spaced(b []byte) string {
	s := ""
	for _, x := range b {
		s += " " + hex.EncodeToString([]byte{x})
	}
	return strings.TrimPrefix(s, " ")
}
