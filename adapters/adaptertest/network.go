package adaptertest

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Packet is one datagram on its way.
type Packet struct {
	From, To  netip.AddrPort
	ToGateway bool
	N         int // counts all datagrams of the driver from 0
	Data      []byte
	// Association is what the packet goes through; nil: it is plain.
	Association *adapters.Association
}

// Fate is what the network does with a datagram. The zero value delivers it
// at once.
type Fate struct {
	Drop  bool
	Delay time.Duration // others may overtake it
	Extra int           // more copies
}

type flight struct {
	at core.Time
	p  Packet
	ep *endpoint
}

// endpoint is a datagram room's listener.
type endpoint struct {
	d    *Driver
	room adapters.Endpoint
	addr netip.AddrPort
	over bool
}

// Handle registers a peer.
func (e *endpoint) Handle(driven adapters.Driven) adapters.PeerHandle {
	e.d.tb.Helper()
	k := e.d.newLink()
	k.driven, k.ep = driven, e
	return k
}

// gateway is the listener of a datagram room, made on first use.
func (d *Driver) gateway(room adapters.Room) *endpoint {
	for i, r := range d.rooms {
		if r != room {
			continue
		}
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, 1}), uint16(1000+i))
		for _, e := range d.endpoints {
			if e.addr == addr {
				return e
			}
		}
		scheme := d.o.Scheme
		if scheme == "" {
			scheme = room.Name()
		}
		e := &endpoint{d: d, addr: addr}
		d.inCall = true
		e.room = room.(adapters.DatagramRoom).Listen(e, adapters.ListenerInfo{
			Listener: scheme + "://" + addr.String(), Scheme: scheme, Local: addr})
		d.inCall = false
		d.endpoints = append(d.endpoints, e)
		return e
	}
	d.tb.Fatalf("room %s does not belong to this driver", room.Name())
	return nil
}

func (e *endpoint) flush(out *adapters.Output) {
	for _, g := range out.Datagrams() {
		e.d.transmit(Packet{From: e.addr, To: g.To, Data: bytes.Clone(out.B[g.Start:g.End])}, e)
	}
	scribble(out.B)
}

func (e *endpoint) close(r core.Reason) {
	if e.over {
		return
	}
	e.over = true
	out := e.d.begin(nil)
	e.room.Close(e.d.turn, r, out)
	e.d.inCall = false
	e.flush(out)
}

// transmit puts a datagram on the network.
func (d *Driver) transmit(p Packet, ep *endpoint) {
	p.N = d.sent
	d.sent++
	var f Fate
	if d.Network != nil {
		f = d.Network(p)
	}
	if f.Drop {
		return
	}
	for range 1 + f.Extra {
		d.flying = append(d.flying, flight{at: d.Now().After(f.Delay), p: p, ep: ep})
	}
}

// land delivers what has arrived, in order of arrival.
func (d *Driver) land() (worked bool) {
	for i := 0; i < len(d.flying); {
		f := d.flying[i]
		if f.at > d.turn.Now {
			i++
			continue
		}
		d.flying = append(d.flying[:i], d.flying[i+1:]...)
		worked = true
		if !f.p.ToGateway {
			d.Peer(f.p.To).got = append(d.Peer(f.p.To).got, f.p.Data)
			continue
		}
		if !f.ep.over {
			in := bytes.Clone(f.p.Data)
			out := d.begin(nil)
			if f.p.Association != nil {
				f.ep.room.(adapters.SecureEndpoint).Secure(d.turn, f.p.Association, in, out)
			} else {
				f.ep.room.Datagram(d.turn, f.p.From, in, out)
			}
			d.inCall = false
			scribble(in)
			f.ep.flush(out)
		}
	}
	return worked
}

// Peer is one address on the network, a client's socket.
type Peer struct {
	Addr netip.AddrPort
	// Association is what Send goes through; nil: plain datagrams.
	Association *adapters.Association

	d    *Driver
	room adapters.Room
	got  [][]byte
}

// Peer is the socket at addr, bound on first use; it speaks to the first
// room.
func (d *Driver) Peer(addr netip.AddrPort) *Peer {
	p := d.peers[addr]
	if p == nil {
		p = &Peer{Addr: addr, d: d, room: d.rooms[0]}
		d.peers[addr] = p
	}
	return p
}

// NewPeer binds a fresh address in 192.0.2.0/24.
func (d *Driver) NewPeer() *Peer {
	n := len(d.peers)
	return d.Peer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + n%250)}), uint16(30000+n)))
}

// On makes the peer speak to another room of the driver.
func (p *Peer) On(room adapters.Room) *Peer {
	p.room = room
	return p
}

// Send sends one datagram and settles.
func (p *Peer) Send(b []byte) {
	p.d.tb.Helper()
	ep := p.d.gateway(p.room)
	p.d.transmit(Packet{From: p.Addr, To: ep.addr, ToGateway: true, Data: bytes.Clone(b), Association: p.Association}, ep)
	p.d.Settle()
}

// HangUp ends the peer's association.
func (p *Peer) HangUp() {
	ep, out := p.d.gateway(p.room), p.d.begin(nil)
	ep.room.(adapters.SecureEndpoint).Gone(p.d.turn, p.Association, core.ConnectionLost, out)
	p.d.inCall = false
	ep.flush(out)
	p.d.Settle()
}

// Recv takes the next datagram that arrived; nil when there is none.
func (p *Peer) Recv() []byte {
	if len(p.got) == 0 {
		return nil
	}
	b := p.got[0]
	p.got = p.got[1:]
	return b
}

// RecvAll takes all datagrams that arrived.
func (p *Peer) RecvAll() [][]byte {
	all := p.got
	p.got = nil
	return all
}
