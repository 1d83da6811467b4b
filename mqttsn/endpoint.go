package mqttsn

import (
	"net/netip"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// origin is where a datagram came from: the key of a peer.
type origin struct {
	addr   netip.AddrPort        // of an association: at its handshake
	node   string                // wireless node id behind a forwarder, else ""
	secure *adapters.Association // nil on listeners without DTLS
}

// endpoint is the gateway on one listener.
type endpoint struct {
	// Changed by Reconfigure alone.
	room     *Room
	cfg      *Config
	exchange time.Duration // a login, or an attachment, takes no longer

	// Immutable.
	metrics  *metrics
	loop     adapters.Loop
	listener string
	trusted  func(netip.Addr) bool // exempt from rates per source

	// Owned by the loop.
	peers     peers
	names     map[uint64]*peer          // by hashes of client ids, the first of a list of those with them, whoever they are
	early     int                       // that sent AUTH and no CONNECT yet
	unproven  limit.Recent[peer, *peer] // addresses
	perSource *limit.Peers
	perNode   map[origin]int // nodes of a forwarder
	parked    parking
	tables    map[string]*predefined // by the patterns of their clients
	common    *predefined            // of those without a session
	sources   *limit.Sources         // datagrams of unproven addresses
	answers   *limit.Sources         // answers without a session
	quiet     traffic                // of peers that have none
	plain     rare                   // of peers that have none
	anonymous *minusOne
	proven    map[*adapters.Association]*minusOne // of those that DTLS has proven to be somebody
	taken     []core.Delivery                     // scratch of deliver
	grants    []core.Grant                        // scratch of subscribe
	reasons   []core.Reason                       // scratch of unsubscribe
	topic     []byte                              // scratch of publish
	client    core.Client                         // scratch of peer.client
}

func newEndpoint(r *Room, l adapters.Loop, info adapters.ListenerInfo) *endpoint {
	e := &endpoint{
		metrics: r.metrics, loop: l, listener: info.Listener,
		names:     map[uint64]*peer{},
		proven:    map[*adapters.Association]*minusOne{},
		perSource: limit.NewPeers(r.places()),
		perNode:   map[origin]int{},
		taken:     make([]core.Delivery, 0, maxTaken),
	}
	e.Reconfigure(r)
	e.anonymous = newMinusOne(e, nil)
	return e
}

// Reconfigure goes on with another room; the peers stay. Those who have a
// table of predefined topics keep it, as their clients do.
func (e *endpoint) Reconfigure(r adapters.DatagramRoom) {
	room, ok := r.(*Room)
	if !ok {
		return
	}
	e.room, e.cfg = room, &room.cfg
	e.exchange = room.limits.PreauthExchange
	e.trusted = room.limits.Exempt
	e.perSource.SetLimits(room.places())
	e.parked.limit = e.cfg.MaxClients
	e.tables = map[string]*predefined{}
	e.common = e.cfg.predefinedBy(nil)
	e.sources = limit.NewSources(e.cfg.RatePerSource)
	e.answers = limit.NewSources(e.cfg.UnsolicitedRate)
}

// Datagram takes one datagram.
func (e *endpoint) Datagram(t *core.Turn, from netip.AddrPort, in []byte, out *adapters.Output) {
	if len(in) > 1 && in[1] == byte(packet.FRWDENCAP) && in[0] != 1 {
		e.forwarded(t, origin{addr: from}, in, out)
		return
	}
	e.input(t, origin{addr: from}, in, out)
}

// input takes one packet, or several back to back where that is allowed.
func (e *endpoint) input(t *core.Turn, from origin, in []byte, out *adapters.Output) {
	for again := true; again; again = len(in) > 0 {
		ty, body, rest, err := packet.Cut(in)
		if err == nil && len(rest) > 0 && !e.cfg.MultiPacket {
			err = packet.ErrLength // W6
		}
		if err == nil && (!ty.Known() || ty == packet.FRWDENCAP || ty == packet.AUTH && !e.cfg.AuthPacket) {
			err = packet.ErrType
		}
		if err != nil {
			e.metrics.malformed(err)
			return
		}
		if err := e.dispatch(t, from, ty, body, len(in)-len(rest), out); err != nil {
			e.metrics.malformed(err)
		}
		in = rest
	}
}

// dispatch finds the peer. n is the size of the packet. An error means that
// the packet is malformed; it has had no effect.
func (e *endpoint) dispatch(t *core.Turn, from origin, ty packet.Type, body []byte, n int, out *adapters.Output) error {
	e.metrics.packet(adapters.In, ty)
	p := e.peers.get(from)
	if !e.admit(t.Now, from, p) {
		return nil
	}
	switch {
	case n > e.cfg.MaxPacket:
		e.tooLarge(from, ty, body, out) // P15
		return nil
	case ty == packet.SEARCHGW:
		return e.onSearchGW(t, from, body, out)
	case ty == packet.ADVERTISE || ty == packet.GWINFO: // D4
		return nil
	case ty == packet.CONNECT:
		return e.onConnect(t, from, body, n, out)
	case ty == packet.AUTH:
		return e.onAuth(t, from, body, n, out)
	case p == nil || p.state == wantConnect:
		return e.unknown(t, from, ty, body, out)
	}
	p.heard(t.Now, n)
	if h := p.heir; h != nil && h.asks(ty) {
		p = h
	}
	err := p.input(t, ty, body, out)
	p.schedule(t.Now)
	return err
}

// admit holds the rates of datagrams: X5.
func (e *endpoint) admit(now core.Time, from origin, p *peer) bool {
	if p != nil && !p.inTime(now) {
		e.drop("rate_per_client")
		return false
	}
	if from.secure != nil || p != nil && p.proven() || e.trusted(from.addr.Addr()) || e.sources.Take(now, from.addr.Addr()) {
		return true
	}
	e.drop("rate_per_source")
	return false
}

func (e *endpoint) drop(reason string) { e.metrics.set.ProtocolError(Name, reason) }

// Close ends all clients because the listener stops.
func (e *endpoint) Close(t *core.Turn, r core.Reason, out *adapters.Output) {
	for p := range e.peers.all() {
		p.disinherit(t)
		p.evict(t, r, out)
	}
	e.anonymous.close(t, r)
	for _, o := range e.proven {
		o.close(t, r)
	}
}

// answer sends a packet to an address, session or not.
func answer[P packet.Packet](e *endpoint, to origin, pkt P, out *adapters.Output) {
	if to.node != "" {
		out.B = packet.AppendForwardHeader(out.B, 0, []byte(to.node)) // F1
	}
	out.B = pkt.AppendTo(out.B)
	if to.secure != nil {
		out.Secure(to.secure)
	} else {
		out.Datagram(to.addr)
	}
	e.metrics.packet(adapters.Out, pkt.Type())
}

// tooLarge answers a PUBLISH that exceeds max_packet, as its header allows.
func (e *endpoint) tooLarge(from origin, ty packet.Type, body []byte, out *adapters.Output) {
	e.drop("max_packet")
	p, err := packet.ParsePublish(body)
	if ty != packet.PUBLISH || err != nil || e.peers.get(from) == nil {
		return
	}
	answer(e, from, packet.TopicAck{Of: packet.PUBACK, TopicID: p.TopicID, MsgID: p.MsgID, Code: packet.NotSupported}, out)
}
