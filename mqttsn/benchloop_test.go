package mqttsn

import (
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// benchLoop drives an endpoint without bookkeeping, for benchmarks.
type benchLoop struct {
	e     *endpoint
	turn  *core.Turn
	out   adapters.Output
	ready []*benchHandle
	acks  []byte
}

type benchHandle struct {
	l     *benchLoop
	d     adapters.Driven
	woken bool
}

func newBenchLoop(r *Room) *benchLoop {
	l := &benchLoop{turn: r.host.Router.NewTurn(nil)}
	l.e = r.Listen(l, adapters.ListenerInfo{}).(*endpoint)
	return l
}

func (l *benchLoop) Handle(d adapters.Driven) adapters.PeerHandle { return &benchHandle{l: l, d: d} }

func (h *benchHandle) Ready(*core.Turn) {
	if !h.woken {
		h.woken = true
		h.l.ready = append(h.l.ready, h)
	}
}
func (h *benchHandle) Evict(core.Reason) {}
func (h *benchHandle) TickAt(core.Time)  {}
func (h *benchHandle) LoggingIn()        {}
func (h *benchHandle) Authenticated()    {}
func (h *benchHandle) Connected()        {}
func (h *benchHandle) Enter() bool       { return true }
func (h *benchHandle) Leave()            {}
func (h *benchHandle) Hurries(int) bool  { return false }
func (h *benchHandle) Ended(core.Reason) {}

func (l *benchLoop) client(addr string) netip.AddrPort {
	a := netip.MustParseAddrPort(addr)
	l.put(a, packet.Connect{Clean: true, ProtocolID: 1, ClientID: []byte(addr)})
	return a
}

func (l *benchLoop) put(from netip.AddrPort, p packet.Packet) { l.datagram(from, p.AppendTo(nil)) }

// datagram is one turn. The PUBACKs for what it sent are kept.
func (l *benchLoop) datagram(from netip.AddrPort, in []byte) {
	l.turn.Begin()
	l.e.Datagram(l.turn, from, in, &l.out)
	for i := 0; i < len(l.ready); i++ {
		l.ready[i].woken = false
		l.ready[i].d.Wake(l.turn, &l.out)
	}
	l.ready = l.ready[:0]
	l.turn.End()
	for _, g := range l.out.Datagrams() {
		ty, body, err := packet.Open(l.out.B[g.Start:g.End])
		if p, bad := packet.ParsePublish(body); err == nil && bad == nil && ty == packet.PUBLISH && p.QoS == 1 {
			l.acks = packet.TopicAck{Of: packet.PUBACK, TopicID: p.TopicID, MsgID: p.MsgID}.AppendTo(l.acks)
		}
	}
	l.out.Reset()
}

// acknowledge answers what was sent to a subscriber.
func (l *benchLoop) acknowledge(sub netip.AddrPort) {
	for len(l.acks) > 0 {
		var ack [7]byte
		copy(ack[:], l.acks)
		l.acks = l.acks[:copy(l.acks, l.acks[7:])]
		l.datagram(sub, ack[:])
	}
}
