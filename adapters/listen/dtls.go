package listen

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
)

// dtlsServer is the DTLS side of a datagram listener: one socket, which one
// goroutine reads and shares out by connection identifier and by address.
type dtlsServer struct {
	// Immutable.
	e       *endpoint
	l       *listener
	room    adapters.SecureEndpoint
	cookies *cookies
	ctx     context.Context // of the handshakes
	cancel  context.CancelFunc
	closed  chan struct{} // closed with the socket

	mu      sync.Mutex                      // guards what follows
	shaking map[netip.AddrPort]*association // in a handshake
	byAddr  map[netip.AddrPort]*association // the newest of an address
	byCID   map[cid]*association
	all     map[*association]struct{}
	places  *limit.Peers
	closing bool

	inbox  secureInbox
	batch  []secureEvent                          // Owned by the loop: of the inbox, not yet delivered.
	live   map[*adapters.Association]*association // Owned by the loop: those that the room has been told of.
	ending sync.WaitGroup                         // goroutines of the associations
}

// startDTLS begins to read; false if the room cannot serve associations.
func (e *endpoint) startDTLS() bool {
	room, ok := e.room.(adapters.SecureEndpoint)
	if !ok {
		return false
	}
	s := e.l.server
	limits := s.limits()
	d := &dtlsServer{
		e: e, l: e.l, room: room, cookies: newCookies(), closed: make(chan struct{}),
		shaking: map[netip.AddrPort]*association{}, byAddr: map[netip.AddrPort]*association{},
		byCID: map[cid]*association{}, all: map[*association]struct{}{},
		places: limit.NewPeers(peerBounds(limits)),
		live:   map[*adapters.Association]*association{},
	}
	d.ctx, d.cancel = context.WithCancel(s.ctx)
	e.dtls = d
	s.wg.Go(d.read)
	return true
}

// read is the socket's goroutine; it ends when the socket is closed.
func (d *dtlsServer) read() {
	buf, oob := make([]byte, maxDatagram), make([]byte, 128)
	for {
		n, o, _, from, err := d.l.udp.ReadMsgUDPAddrPort(buf, oob)
		switch {
		case err == nil:
			from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
			d.datagram(from, destination(oob[:o]), buf[:n])
		case errors.Is(err, net.ErrClosed):
			return
		}
	}
}

// datagram finds out whose it is.
func (d *dtlsServer) datagram(from netip.AddrPort, via netip.Addr, b []byte) {
	s, ok := inspect(b)
	switch {
	case !ok:
		d.l.counts.dropped("malformed")
	case s.hello:
		d.hello(from, via, b)
	default:
		d.route(from, via, s, b)
	}
}

// route hands a datagram to its associations. During a handshake at the
// address of an older association both get what is all encrypted: each can
// read its own only.
func (d *dtlsServer) route(from netip.AddrPort, via netip.Addr, s shape, b []byte) {
	d.mu.Lock()
	fresh, old := d.shaking[from], d.byAddr[from]
	if fresh != nil && s.plain {
		old = nil
	}
	if s.hasCID {
		known := d.byCID[s.cid]
		if known != nil && known != fresh {
			fresh, old = nil, known
		} else if known == nil {
			old = nil
		}
	}
	d.mu.Unlock()
	taken := false
	for _, a := range [...]*association{fresh, old} {
		if a != nil && a.wants(s, len(b)) {
			a.via.Store(via)
			taken = a.take(s, b, from) || taken
		}
	}
	if !taken {
		d.l.counts.dropped("unknown")
	}
}

// hello takes a ClientHello. Without a cookie of ours it is answered by a
// HelloVerifyRequest, which is smaller, and forgotten (K2a).
func (d *dtlsServer) hello(from netip.AddrPort, via netip.Addr, b []byte) {
	h, ok := parseHello(b)
	now := d.l.server.clock.Now()
	switch {
	case !ok:
		d.l.counts.dropped("malformed")
	case !d.cookies.valid(from, &h, now):
		d.l.counts.challenged()
		d.sendTo(h.verifyRequest(d.cookies.make(from, &h, now)), from, via)
	default:
		d.begin(from, via, &h, b)
	}
}

// begin starts the handshake of an address that is proven, or goes on with it
// if the ClientHello comes again.
func (d *dtlsServer) begin(from netip.AddrPort, via netip.Addr, h *hello, b []byte) {
	d.mu.Lock()
	running, done := d.shaking[from], d.byAddr[from]
	d.mu.Unlock()
	switch {
	case running != nil && running.random == h.random:
		running.wire.push(b, from)
		return
	case done != nil && done.random == h.random: // late; the handshake is over
		d.l.counts.dropped("repeated")
		return
	}
	if r := d.admit(from); r != limit.Admitted {
		d.l.counts.refused(r)
		d.l.server.events.refused(d.l.counts, from, r)
		return
	}
	a := newAssociation(d, from, via, h)
	err := a.engage()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing || err != nil {
		if err != nil {
			d.l.preauthClosed(from, "tls", err)
		}
		d.places.Remove(from.Addr())
		d.l.unadmit(from.Addr())
		return
	}
	d.shaking[from], d.all[a] = a, struct{}{}
	if running != nil {
		running.wire.Close() // the client began anew
	}
	a.wire.push(h.first(), from)
	a.wire.push(b, from)
	d.ending.Add(1)
	d.l.server.wg.Go(a.run)
}

// peerBounds are those of L24.
func peerBounds(l *adapters.Limits) (all, address limit.Bound) {
	return limit.Bound{N: l.UDPPeers, Key: limit.KeyPeers}, limit.Bound{N: l.UDPPeersPerAddress, Key: limit.KeyPeersPerAddress}
}

// admit takes a place among the unauthenticated and one among the peers.
func (d *dtlsServer) admit(from netip.AddrPort) limit.Refusal {
	d.mu.Lock()
	within := d.places.Add(from.Addr())
	d.mu.Unlock()
	if within != nil {
		d.reclaim()
		return within.Refusal()
	}
	r := d.l.server.gate.Admit(from.Addr(), d.l.server.clock.Now())
	if r == limit.Admitted && !d.l.enter() {
		d.l.unadmit(from.Addr())
		r = limit.Connections
	}
	if r != limit.Admitted {
		d.mu.Lock()
		d.places.Remove(from.Addr())
		d.mu.Unlock()
	}
	return r
}

// reclaim asks whether the longest silent of some associations may go (L24).
func (d *dtlsServer) reclaim() {
	d.mu.Lock()
	var oldest *association
	tries := 64
	for a := range d.all {
		if oldest == nil || a.heard.Load() < oldest.heard.Load() {
			oldest = a
		}
		if tries--; tries == 0 {
			break
		}
	}
	d.mu.Unlock()
	if oldest != nil && oldest.established.Load() {
		d.post(secureEvent{a: oldest, idle: true})
	}
}

// sendTo sends a datagram from the address of ours that its receiver knows.
// It may be called from any goroutine.
func (d *dtlsServer) sendTo(b []byte, to netip.AddrPort, via netip.Addr) {
	if a, ok := d.l.addr.(*net.UDPAddr); ok && a.IP.To4() == nil {
		to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()).WithZone(to.Addr().Zone()), to.Port())
	}
	_, _, err := d.l.udp.WriteMsgUDPAddrPort(b, sourceControl(via), to)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		d.l.counts.dropped("unsent")
	}
}

// established puts an association in its place.
func (d *dtlsServer) established(a *association) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shaking[a.at] == a {
		delete(d.shaking, a.at)
	}
	if d.closing {
		return false
	}
	if old := d.byAddr[a.at]; old != nil && !old.hasCID.Load() {
		old.supersede() // nothing can reach it any more
	}
	d.byAddr[a.at] = a
	return true
}

// moved notes another address of the peer (RFC 9146, section 6). The old one
// may be somebody else's by now.
func (d *dtlsServer) moved(a *association, to netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byAddr[a.at] == a {
		delete(d.byAddr, a.at)
	}
	a.at = to
}

// forget takes an association out.
func (d *dtlsServer) forget(a *association) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range [...]map[netip.AddrPort]*association{d.shaking, d.byAddr} {
		if m[a.at] == a {
			delete(m, a.at)
		}
	}
	if a.hasCID.Load() {
		delete(d.byCID, a.cid)
	}
	delete(d.all, a)
	d.places.Remove(a.Remote.Addr())
}

// goodbyeTime bounds the farewells of a stop.
const goodbyeTime = 2 * time.Second

// stop ends every association with close_notify, then the socket. Called by
// the loop, after the last output.
func (d *dtlsServer) stop() {
	d.mu.Lock()
	d.closing = true
	all := make([]*association, 0, len(d.all))
	for a := range d.all {
		all = append(all, a)
	}
	d.mu.Unlock()
	d.cancel()
	for _, a := range all {
		a.finish()
	}
	d.l.server.wg.Go(func() {
		ended := make(chan struct{})
		go func() {
			d.ending.Wait()
			close(ended)
		}()
		timer := time.NewTimer(goodbyeTime)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
		}
		d.l.udp.Close()
		close(d.closed)
		<-ended
	})
}
