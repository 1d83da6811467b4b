package listen

import (
	"log/slog"
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// peer is the handle of one peer of a datagram room.
type peer struct {
	link
	noStream
	e      *endpoint
	driven adapters.Driven
}

// peerState is what has become of a peer.
type peerState struct {
	counted bool // as connected
	placed  bool // among the connections
	known   bool // logged as connected
	ended   bool
}

// LoggingIn is for streams: a datagram room bounds its logins itself.
func (p *peer) LoggingIn() {}

// Authenticated counts the peer as connected.
func (p *peer) Authenticated() {
	if !p.was.counted && !p.was.ended {
		p.was.counted = true
		p.e.l.counts.connected()
		p.e.l.counts.authenticated(true)
	}
}

// PeerAddr is what the room says; "" if it does not.
func (p *peer) PeerAddr() string {
	if a, ok := p.driven.(core.Addressed); ok {
		return a.PeerAddr()
	}
	return ""
}

// Connected logs the client.
func (p *peer) Connected() {
	if !p.was.known && !p.was.ended {
		p.was.known = true
		p.log("client.connected", core.OK)
	}
}

func (p *peer) log(event string, r core.Reason) {
	if !p.e.l.server.events.wants(slog.LevelInfo) {
		return
	}
	who := identity(p.driven)
	p.e.l.server.events.client(slog.LevelInfo, event, p.e.l.counts, who, addrText(who.Addr), r)
}

// Ended forgets the peer.
func (p *peer) Ended(r core.Reason) {
	if p.was.ended {
		return
	}
	p.was.ended, p.tick = true, 0
	p.loop.wheel.remove(&p.link)
	p.Leave()
	delete(p.e.paces, p)
	if p.was.counted {
		p.e.l.counts.disconnected(r, false)
	}
	if p.was.known {
		p.log("client.disconnected", r)
	}
}

// Enter takes a place among the connections.
func (p *peer) Enter() bool {
	l := p.e.l
	if p.was.placed || p.was.ended || l.secure { // an association has one
		return true
	}
	fits := l.enter()
	if !fits || !l.server.gate.Enter() {
		l.open.Add(-1)
		return false
	}
	p.was.placed = true
	return true
}

// Leave gives the place back.
func (p *peer) Leave() {
	if p.was.placed {
		p.was.placed = false
		p.e.l.open.Add(-1)
		p.e.l.server.gate.Leave()
	}
}

// Hurries holds the rates of a connection. A peer has a pace while rates are
// set and it publishes.
func (p *peer) Hurries(bytes int) bool {
	limits, now := p.e.l.limits(), p.loop.turn.Now
	if limits.PublishRate <= 0 && limits.PublishBytesRate <= 0 {
		return false
	}
	x := p.e.paces[p]
	if x == nil {
		if p.e.paces == nil {
			p.e.paces = map[*peer]*pace{}
		}
		x = new(pace)
		p.e.paces[p] = x
	}
	if x.ahead(now, limits) {
		p.e.l.counts.hurried()
		return true
	}
	spend(&x.messages, now, 1, limits.PublishRate)
	spend(&x.bytes, now, bytes, limits.PublishBytesRate)
	return false
}

func (p *peer) attend(bits uint32) {
	if bits&bitEvict != 0 {
		r := core.Reason(bits >> reasonShift)
		p.call(func(out *adapters.Output) { p.driven.Evict(p.loop.turn, r, out) })
		p.Ended(r)
	}
	if bits&bitReady != 0 {
		p.call(func(out *adapters.Output) { p.driven.Wake(p.loop.turn, out) })
	}
}

func (p *peer) expire(now core.Time) {
	if p.tick != 0 && now >= p.tick && !p.was.ended {
		p.tick = 0
		p.call(func(out *adapters.Output) { p.driven.Tick(p.loop.turn, out) })
	}
	if !p.was.ended {
		p.loop.wheel.arm(&p.link, p.tick)
	}
}

// call drives the peer and sends what came of it.
func (p *peer) call(f func(out *adapters.Output)) {
	if p.was.ended || p.e.over {
		return
	}
	out := p.loop.output()
	if !p.guarded(f, out) {
		p.Ended(core.Internal)
		return
	}
	more := out.More
	p.e.flush(out)
	if r, closing := out.Closing(); closing {
		p.Ended(r)
	} else if more {
		p.again()
	}
}

func (p *peer) guarded(f func(out *adapters.Output), out *adapters.Output) (ok bool) {
	defer p.e.rescue()
	f(out)
	return true
}

func (e *endpoint) roomDatagram(from netip.AddrPort, in []byte, out *adapters.Output) {
	defer e.rescue()
	e.room.Datagram(e.loop.turn, from, in, out)
}

func (e *endpoint) roomClose(r core.Reason, out *adapters.Output) {
	defer e.rescue()
	e.room.Close(e.loop.turn, r, out)
}

func (e *endpoint) rescue() {
	if p := recover(); p != nil {
		e.loop.server.panicked(e.l.counts.protocol, p)
	}
}
