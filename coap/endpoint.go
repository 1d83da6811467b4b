package coap

import (
	"math/rand/v2"
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// Endpoint is one listener: it finds the peer of a datagram, and looks after
// what bounds all of them.
type Endpoint struct {
	// Changed by Reconfigure alone.
	room *Room
	cfg  *Config

	// Immutable, but for szx.
	loop    adapters.Loop
	info    adapters.ListenerInfo
	handler handler
	szx     uint8          // our largest block, such that a datagram holds it
	spread  func() float64 // 0 to below 1, for the first timeout

	// Owned by the loop.
	peers   map[source]*peer
	recent  recent             // with an address that is proven
	unsure  recent             // without
	places  *limit.Peers       // of addresses
	nothing activity           // of peers that have none
	tokens  map[string]*peer   // of connections, to who holds them
	sources map[[16]byte]int32 // observations of each IP address
	rates   *limit.Sources     // datagrams of unproven addresses
	in      message.Message    // scratch
	req     request            // scratch
	batch   []core.Delivery    // scratch
}

// headroom is what a block needs beside its payload in a datagram, octets:
// header and token (12), the options we send with a block (under 50).
const headroom = 64

func newEndpoint(r *Room, l adapters.Loop, info adapters.ListenerInfo) *Endpoint {
	return &Endpoint{
		rates: limit.NewSources(r.cfg.RatePerSource),
		room:  r, cfg: &r.cfg, loop: l, info: info,
		szx:    message.SZXFor(min(r.cfg.BlockSize, r.cfg.MaxDatagram-headroom)),
		spread: rand.Float64,
		peers:  map[source]*peer{}, tokens: map[string]*peer{}, sources: map[[16]byte]int32{},
		places: limit.NewPeers(r.places()),
	}
}

// Reconfigure goes on with another room; the peers stay.
func (e *Endpoint) Reconfigure(r adapters.DatagramRoom) {
	room, ok := r.(*Room)
	if !ok {
		return
	}
	e.room, e.cfg = room, &room.cfg
	e.rates = limit.NewSources(e.cfg.RatePerSource)
	e.places.SetLimits(room.places())
	e.szx = message.SZXFor(min(e.cfg.BlockSize, e.cfg.MaxDatagram-headroom))
	if t, ok := e.handler.(*topics); ok {
		t.room, t.cfg = e.room, e.cfg
	}
}

// Datagram takes one datagram. RFC 7252, section 4.
func (e *Endpoint) Datagram(t *core.Turn, from netip.AddrPort, in []byte, out *adapters.Output) {
	e.datagram(t, source{addr: from}, in, out)
}

func (e *Endpoint) datagram(t *core.Turn, from source, in []byte, out *adapters.Output) {
	p := e.peers[from]
	if !e.admit(t.Now, from, p) {
		return
	}
	m := &e.in
	if err := message.Parse(in, m); err != nil {
		e.malformed(from, err.(*message.FormatError), out)
		if m.Type != message.ACK || err != message.ErrTypeCode {
			return
		} // M10: the message id counts, whatever else is in an ACK
	}
	switch {
	case m.Code.IsRequest() && m.Type != message.ACK:
		if p = e.peer(t, from, p); p != nil {
			p.request(t, m, in, out)
			p.schedule(t.Now)
		} else {
			e.refuse(m, from, out)
		}
	case m.Type == message.CON: // a ping (M5), or a response to no request of ours (M12)
		e.reset(m.ID, from, out)
	case m.Type == message.ACK:
		if p != nil {
			p.acknowledged(t, m.ID, out)
			p.schedule(t.Now)
		}
	case m.Type == message.RST:
		e.room.count.resetsIn.Add(1)
		if p != nil {
			p.rejected(t, m.ID, out)
			p.schedule(t.Now)
		}
	}
}

// admit holds the rates of datagrams: what exceeds them is dropped unread.
// [SECURITY K6]
func (e *Endpoint) admit(now core.Time, from source, p *peer) bool {
	if p != nil && !p.inTime(now) {
		e.room.count.dropped("rate_per_client")
		return false
	}
	proof := from.atFirst(e.cfg.AddressProof)
	if p != nil {
		proof = p.proof
	}
	if proof.Proven() || e.room.host.Limits.Exempt(from.addr.Addr()) || e.rates.Take(now, from.addr.Addr()) {
		return true
	}
	e.room.count.dropped("rate_per_source")
	return false
}

// malformed rejects (M6): a Reset for a Confirmable, silence for the rest.
func (e *Endpoint) malformed(from source, err *message.FormatError, out *adapters.Output) {
	e.room.count.malformed(err.Reason)
	if !err.Silent && e.in.Type == message.CON {
		e.reset(e.in.ID, from, out)
	}
}

func (e *Endpoint) reset(id uint16, to source, out *adapters.Output) {
	e.room.count.resetsOut.Add(1)
	out.B = message.AppendEmpty(out.B, message.RST, id)
	to.end(out)
}

// refuse answers a peer for which there is no room (L24).
func (e *Endpoint) refuse(m *message.Message, to source, out *adapters.Output) {
	if m.Type != message.CON {
		return
	}
	var r response
	r.fail(message.ServiceUnavailable, "too many endpoints")
	r.setMaxAge(busyFor)
	out.B = r.appendTo(out.B, message.ACK, m.ID, m.Token)
	to.end(out)
}

// halved is what a cache may hold at most: under pressure, half of it.
// [SECURITY O2]
func halved(t *core.Turn, most int) int {
	if t.Level() >= core.LevelShed {
		return max(1, most/2)
	}
	return most
}

// Close ends all peers: observers are told 5.03.
func (e *Endpoint) Close(t *core.Turn, r core.Reason, out *adapters.Output) {
	for _, p := range e.peers {
		p.farewell(t, r, out)
		p.forget(t, r)
		p.handle.Ended(r)
	}
}
