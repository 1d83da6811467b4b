package adaptertest

import (
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// NewRoom makes the room under test.
type NewRoom func(h *adapters.Host) (adapters.Room, error)

// Options of a driver. The zero value is a good one.
type Options struct {
	Limits  adapters.Limits
	Auth    adapters.Authenticator // channels that it waits on are made in the bubble: set Driver.Host.Auth there
	Log     *slog.Logger           // nil: discarded
	Core    func(*core.Options)    // has the last word on the router's options
	Scheme  string                 // of the listener's URL; default: the room's name
	TickLag time.Duration          // ticks come this much after they were due; at most 100 ms
	Store   core.Store             // nil: a new one in memory
	Router  *core.Router           // a router that exists; Core is not called, and it is not closed
}

// Driver is a loop in memory. Its methods belong to the goroutine of the
// test.
type Driver struct {
	Router *core.Router
	Host   *adapters.Host
	Clock  *core.Clock
	// Network decides the fate of each datagram; nil delivers all at once.
	Network func(Packet) Fate

	tb     testing.TB
	o      Options
	rooms  []adapters.Room
	turn   *core.Turn
	out    adapters.Output
	bubble bool
	inCall bool // a room's method is running

	filling  *link         // whose the output is; nil: of a datagram room
	offered  int           // deliveries for Direct
	together *core.Session // of Together; nil before the first

	conns     []*Conn
	links     []*link
	endpoints []*endpoint
	peers     map[netip.AddrPort]*Peer
	flying    []flight
	sent      int

	mu    sync.Mutex
	dirty []*link // Guarded by mu.
}

// Test runs f in a bubble of testing/synctest with a driver of the room. When
// f returns, connections are dropped, endpoints and router closed, and no
// goroutine may be left. t.Parallel belongs before the call.
func Test(t *testing.T, room NewRoom, o Options, f func(t *testing.T, d *Driver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(t, o, true)
		d.Use(room)
		f(t, d)
	})
}

// New makes a driver on the real clock, for benchmarks: Settle does not wait
// for other goroutines.
func New(tb testing.TB, room NewRoom, o Options) *Driver {
	tb.Helper()
	d := newDriver(tb, o, false)
	d.Use(room)
	return d
}

func newDriver(tb testing.TB, o Options, bubble bool) *Driver {
	tb.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	d := &Driver{tb: tb, o: o, bubble: bubble, Clock: core.NewClock(), Router: o.Router,
		peers: map[netip.AddrPort]*Peer{}}
	if d.Router == nil {
		if o.Store == nil {
			o.Store = NewStore()
		}
		co := core.Options{Store: o.Store, Clock: d.Clock, Log: o.Log}
		if o.Core != nil {
			o.Core(&co)
		}
		r, err := core.New(co)
		if err != nil {
			tb.Fatalf("core.New: %v", err)
		}
		d.Router = r
		tb.Cleanup(r.Close)
	}
	d.turn = d.Router.NewTurn(d)
	d.Host = &adapters.Host{Router: d.Router, Log: o.Log, Auth: o.Auth,
		Limits: o.Limits.WithDefaults(), Version: "test", Metrics: adapters.NewMetrics()}
	tb.Cleanup(d.closeAll)
	return d
}

// Use adds a room, which shares the router with those before it.
func (d *Driver) Use(room NewRoom) adapters.Room {
	d.tb.Helper()
	r, err := room(d.Host)
	if err != nil {
		d.tb.Fatalf("room: %v", err)
	}
	d.rooms = append(d.rooms, r)
	return r
}

// Room is the first room.
func (d *Driver) Room() adapters.Room { return d.rooms[0] }

// Now is the time of the simulated clock.
func (d *Driver) Now() core.Time { return d.Clock.Now() }

// Turn runs f inside a turn of the loop and settles; for calls to core.
func (d *Driver) Turn(f func(t *core.Turn)) {
	d.turn.Begin()
	f(d.turn)
	d.wakeAll()
	d.turn.End()
	d.Settle()
}

// Settle runs passes until nothing is left to do at this instant, commits and
// logins on other goroutines included.
func (d *Driver) Settle() {
	for range 100_000 {
		if d.bubble {
			synctest.Wait()
		}
		if !d.pass() {
			return
		}
	}
	d.tb.Helper()
	d.tb.Fatal("the room asks for wake-ups without end")
}

// pass is one turn: due ticks, then wakes.
func (d *Driver) pass() bool {
	d.turn.Begin()
	worked := d.land()
	for _, k := range d.links {
		if k.tick != 0 && !k.dead && d.turn.Now >= k.tick.After(d.o.TickLag) {
			k.tick = 0
			k.drive(opTick, core.OK)
			worked = true
		}
	}
	worked = d.enforce() || worked
	worked = d.wakeAll() || worked
	d.turn.End()
	d.forget()
	return worked
}

// wakeAll wakes what was ready when it was called and what became ready
// meanwhile, in order, a bounded number of times.
func (d *Driver) wakeAll() (worked bool) {
	for range 1000 {
		d.mu.Lock()
		list := d.dirty
		d.dirty = nil
		d.mu.Unlock()
		if len(list) == 0 {
			return worked
		}
		worked = true
		for _, k := range list {
			k.deliver()
		}
	}
	return worked
}

// Advance lets time pass. Ticks and datagrams in flight come at their times,
// never early.
func (d *Driver) Advance(by time.Duration) {
	d.tb.Helper()
	d.Settle()
	end := d.Now().After(by)
	for {
		now := d.Now()
		next := d.nextDue(end)
		if next > now {
			time.Sleep(next.Until(now))
		}
		d.Settle()
		if next >= end {
			return
		}
	}
}

func (d *Driver) nextDue(end core.Time) core.Time {
	next := end
	for _, k := range d.links {
		if k.dead {
			continue
		}
		if k.tick != 0 {
			next = min(next, k.tick.After(d.o.TickLag))
		}
		if k.limit != 0 {
			next = min(next, k.limit)
		}
	}
	for _, f := range d.flying {
		next = min(next, f.at)
	}
	return next
}

// enforce ends the connections that passed a deadline of the loop.
func (d *Driver) enforce() (worked bool) {
	for _, c := range d.conns {
		if c.link.limit != 0 && !c.link.dead && d.turn.Now >= c.link.limit {
			c.end(core.IdleTimeout)
			worked = true
		}
	}
	return worked
}

// forget drops what has ended.
func (d *Driver) forget() {
	keep := d.links[:0]
	for _, k := range d.links {
		if !k.dead {
			keep = append(keep, k)
		}
	}
	clear(d.links[len(keep):])
	d.links = keep
}

// Shutdown does what a stopping server does: every connection is evicted, every
// endpoint closed.
func (d *Driver) Shutdown() {
	for _, c := range d.conns {
		c.link.Evict(core.ShuttingDown)
	}
	d.Settle()
	d.turn.Begin()
	for _, e := range d.endpoints {
		e.close(core.ShuttingDown)
	}
	d.turn.End()
	d.Settle()
}

func (d *Driver) closeAll() {
	for _, c := range d.conns {
		c.Drop()
	}
	d.turn.Begin()
	for _, e := range d.endpoints {
		e.close(core.ShuttingDown)
	}
	d.turn.End()
	d.Settle()
}
