package mqtt

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// What the first octet of FuzzConn's input chooses beside the version.
const (
	fuzzDurable = 4 // the session outlives its connection, so answers wait for the store
	fuzzFirst   = 8 // the input begins with the CONNECT
)

// FuzzConn feeds a connection whose session has subscriptions, messages on
// their way in every stage and an identifier held (MW7): no panic, packets cut
// anywhere give the bytes that whole packets give, and what comes is what a
// server may send, in an order that it may be sent in.
func FuzzConn(f *testing.F) {
	cuts := []byte{1, 3, 0, 7}
	stream := func(v packet.Version, all ...packet.Packet) (b []byte) {
		for _, p := range all {
			b = p.AppendTo(b, v)
		}
		return b
	}
	for i, v := range []packet.Version{v31, v311, v5} {
		for _, kind := range []byte{0, fuzzDurable} {
			f.Add(byte(i)|kind, stream(v, pub("x", "0", 0, 0), pub("x", "1", 1, 9), pub("x", "2", 2, 10), ack(packet.PUBREL, 10), ping), cuts)
			f.Add(byte(i)|kind, stream(v, ack(packet.PUBACK, 1), ack(packet.PUBREC, 2), ack(packet.PUBCOMP, 2), ack(packet.PUBACK, 2)), cuts)
			f.Add(byte(i)|kind, stream(v, subs(7, "in/#", "$share/g/x", "a#"), unsub(8, "in/#", "no"), pub("in/b", "x", 2, 9), bye(0)), cuts)
			f.Add(byte(i)|kind, stream(v, pub("held", "x", 2, 77), ack(packet.PUBREL, 77), ack(packet.PUBREL, 77)), cuts)
		}
		c := &packet.Connect{Version: v, ClientID: []byte("x"), HasWill: true, WillTopic: []byte("in/w"), WillPayload: []byte("w"), WillQoS: 2}
		f.Add(byte(i)|fuzzFirst, stream(v, c, subs(1, "#"), pub("x", "1", 1, 9), c), cuts)
	}
	for _, line := range malformedRows(f) {
		f.Add(line.version-3, line.in, cuts)
		f.Add(line.version-3|fuzzFirst, line.in, cuts)
	}
	f.Fuzz(func(t *testing.T, how byte, in, cuts []byte) {
		if len(in) > 1<<14 {
			return
		}
		v := packet.Version(3 + how&3%3)
		whole := fuzzRun(t, how, v, byPacket(in))
		inside := fuzzRun(t, how, v, cutInside(in, cuts))
		if whole.said() != inside.said() {
			t.Fatalf("packet by packet:\n%s\ncut inside of packets:\n%s", whole.said(), inside.said())
		}
		// Packets in one piece overtake the deliveries and commits between
		// them. Without those, they too make no difference.
		if !whole.durable {
			once, pieces := fuzzRun(t, how, v, [][]byte{in}), fuzzRun(t, how, v, pieces(in, cuts))
			if !once.delivered && !pieces.delivered && once.said() != pieces.said() {
				t.Fatalf("in one piece:\n%s\nin pieces:\n%s", once.said(), pieces.said())
			}
		}
	})
}

// malformedRow is a line of the wire package's table.
type malformedRow struct {
	version byte
	in      []byte
}

func malformedRows(f *testing.F) (all []malformedRow) {
	f.Helper()
	text, err := os.ReadFile("packet/testdata/malformed.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if c := strings.Split(strings.TrimSpace(line), " | "); len(c) == 4 {
			all = append(all, malformedRow{c[1][0] - '0', unhex(f, c[3])})
		}
	}
	if len(all) < 120 {
		f.Fatalf("only %d rows found", len(all))
	}
	return all
}

// byPacket cuts a stream where its packets begin.
func byPacket(in []byte) (all [][]byte) {
	for len(in) > 0 {
		n := len(in)
		if h, s := packet.Scan(in, 0); s == packet.Complete {
			n = h.Size()
		}
		all, in = append(all, in[:n]), in[n:]
	}
	return all
}

// pieces cuts a stream in pieces of the sizes in cuts, again and again.
func pieces(in, cuts []byte) (all [][]byte) {
	for i := 0; len(in) > 0; i++ {
		n := len(in)
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[i%len(cuts)]))
		}
		all, in = append(all, in[:n]), in[n:]
	}
	return all
}

// cutInside cuts every packet for itself.
func cutInside(in, cuts []byte) (all [][]byte) {
	for _, p := range byPacket(in) {
		all = append(all, pieces(p, cuts)...)
	}
	return all
}

// fuzzed is what one run said and heard.
type fuzzed struct {
	lines     []string
	connacks  int
	ended     bool            // our DISCONNECT was there
	durable   bool            // answers wait for the store
	delivered bool            // a PUBLISH or PUBREL was among it
	sent      []byte          // of the client, what is not a whole packet yet
	owed      map[string]int  // "PUBACK 7": how often the client may get that
	flying    map[uint16]byte // QoS of the deliveries that the client has not completed
	sentTo    map[uint16]byte // QoS of all deliveries
}

func (x *fuzzed) said() string { return strings.Join(x.lines, "\n") }

// fuzzRun feeds the parts, one after the other. A durable session is resumed
// at the end.
func fuzzRun(t *testing.T, how byte, v packet.Version, parts [][]byte) *fuzzed {
	x := &fuzzed{owed: map[string]int{}, flying: map[uint16]byte{}, sentTo: map[uint16]byte{}}
	adaptertest.Test(t, roomWith(nil), adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		w := &world{d, t}
		other := w.connect("other", v5)
		other.send(subs(1, "#"))
		var p *peer
		lasting := []connectOption{resume}
		if v >= v5 {
			lasting = []connectOption{keep(60)}
		}
		switch {
		case how&fuzzFirst != 0:
			p = &peer{Conn: w.Open(), t: t, v: v}
		case how&fuzzDurable != 0:
			p = w.dial("x", v, lasting...)
		default:
			p = w.dial("x", v)
		}
		if how&fuzzFirst == 0 {
			before := sub(1, "in/#", 2).AppendTo(nil, v)
			before = pub("held", "x", 2, 77).AppendTo(before, v)
			x.note(before)
			p.Send(before)
			other.send(pub("in/0", "x", 0, 0), pub("in/1", "x", 1, 1), pub("in/2", "x", 2, 2))
		}
		x.hear(p)
		for _, part := range parts {
			x.note(part)
			p.Send(part)
			x.hear(p)
			x.durable = x.durable || p.Room().(*conn).durable
		}
		if _, closed := p.Closed(); x.ended && !closed {
			t.Fatal("open after our DISCONNECT")
		}
		other.packets() // they parse
		other.open()
		p.Drop()
		if how&(fuzzFirst|fuzzDurable) == fuzzDurable {
			x.resume(w.dial("x", v, lasting...))
		}
		w.connect("new", v311) // the room still takes clients
	})
	return x
}

// resume reads what a resumed session brings: nothing but a CONNACK, what was
// on its way, and what is new.
func (x *fuzzed) resume(p *peer) {
	p.t.Helper()
	before := maps.Clone(x.sentTo)
	x.flying, x.connacks, x.ended = map[uint16]byte{}, 0, false
	for id := range before {
		x.owed[fmt.Sprint("PUBREL ", id)]++
	}
	x.hear(p)
}

// note reads what the client is about to send.
func (x *fuzzed) note(part []byte) {
	x.sent = append(x.sent, part...)
	for {
		h, s := packet.Scan(x.sent, 0)
		if s != packet.Complete {
			return
		}
		body := x.sent[h.Head:h.Size()]
		x.sent = x.sent[h.Size():]
		at := 0
		if h.Type == packet.PUBLISH && len(body) > 1 {
			at = 2 + int(body[0])<<8 + int(body[1])
		}
		var id uint16
		if len(body) >= at+2 {
			id = uint16(body[at])<<8 | uint16(body[at+1])
		}
		answers := map[packet.Type]packet.Type{packet.PUBREL: packet.PUBCOMP, packet.PUBREC: packet.PUBREL,
			packet.SUBSCRIBE: packet.SUBACK, packet.UNSUBSCRIBE: packet.UNSUBACK, packet.PUBLISH: packet.PUBACK}
		answer := answers[h.Type]
		if h.Type == packet.PUBLISH && h.Flags&6 == 4 {
			answer = packet.PUBREC
		}
		x.owed[fmt.Sprint(answer, " ", id)]++
		switch {
		case h.Type == packet.PUBACK && x.flying[id] == 1, h.Type == packet.PUBCOMP, h.Type == packet.PUBREC && len(body) > 2 && packet.Code(body[2]).Failed():
			delete(x.flying, id)
		}
	}
}

// hear reads what came, as a strict client does, and checks its order.
func (x *fuzzed) hear(p *peer) {
	p.t.Helper()
	if v := p.Room().(*conn).version; v != 0 {
		p.v = v
	}
	for _, m := range p.packets() {
		line := show(m)
		if c, ok := m.(*packet.Connack); ok && c.Properties.Has(packet.AssignedClientID) {
			c.Properties.SetStr(packet.AssignedClientID, []byte("assigned")) // a random one
			line = show(m)
		}
		x.lines = append(x.lines, line)
		x.check(p.t, m, line)
	}
	if r, closed := p.Closed(); closed && (len(x.lines) == 0 || !strings.HasPrefix(x.lines[len(x.lines)-1], "closed")) {
		x.lines = append(x.lines, fmt.Sprint("closed ", r))
	}
}

func (x *fuzzed) check(t *testing.T, m packet.Packet, line string) {
	t.Helper()
	switch {
	case x.ended:
		t.Fatalf("%s came after our DISCONNECT", line)
	case m.Kind() == packet.CONNACK && x.connacks > 0:
		t.Fatal("a second CONNACK")
	case m.Kind() != packet.CONNACK && x.connacks == 0:
		t.Fatalf("%s came before CONNACK", line)
	}
	switch m := m.(type) {
	case *packet.Connack:
		x.connacks++
	case *packet.Disconnect:
		x.ended = true
		if !m.Code.Failed() {
			t.Fatalf("we sent %s", line)
		}
	case *packet.Publish:
		x.delivered = true
		if m.QoS == 0 {
			return
		}
		if _, used := x.flying[m.ID]; used {
			t.Fatalf("%s, while the identifier is in use: %v", line, x.flying)
		}
		x.flying[m.ID], x.sentTo[m.ID] = m.QoS, m.QoS
		if len(x.flying) > defaultInflight {
			t.Fatalf("%d deliveries in flight", len(x.flying))
		}
	case *packet.Ack:
		x.delivered = x.delivered || m.Type == packet.PUBREL
		x.answers(t, m.Type, m.ID)
	case *packet.Suback:
		x.answers(t, packet.SUBACK, m.ID)
	case *packet.Unsuback:
		x.answers(t, packet.UNSUBACK, m.ID)
	}
}

// answers checks that something was sent which this packet answers.
func (x *fuzzed) answers(t *testing.T, kind packet.Type, id uint16) {
	t.Helper()
	key := fmt.Sprint(kind, " ", id)
	if x.owed[key]--; x.owed[key] < 0 {
		t.Fatalf("%s answers nothing:\n%s", key, x.said())
	}
}

// FuzzConnPackets feeds valid packets whose fields the fuzzer chooses, so that
// it gets further than bytes get: four octets a packet.
func FuzzConnPackets(f *testing.F) {
	f.Add(byte(2), []byte("\x03\x02\x09\x00\x06\x00\x09\x00\x04\x00\x02\x00\x05\x00\x03\x00\x07\x00\x03\x00"))
	f.Add(byte(6), []byte("\x08\x02\x01\x00\x03\x05\x01\x00\x03\x06\x02\x01\x06\x00\x02\x00\x0a\x00\x01\x00"))
	f.Add(byte(5), []byte("\x03\x06\x4d\x00\x06\x00\x4d\x00\x06\x00\x4d\x00\x0c\x00\x00\x00\x0e\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, how byte, in []byte) {
		if len(in) > 1024 {
			return
		}
		how &= 7
		v := packet.Version(3 + how&3%3)
		var parts [][]byte
		for ; len(in) >= 4; in = in[4:] {
			if p := fuzzedPacket(v, in); p != nil {
				parts = append(parts, p.AppendTo(nil, v))
			}
		}
		whole := fuzzRun(t, how, v, parts)
		bytewise := fuzzRun(t, how, v, cutInside(slices.Concat(parts...), []byte{0, 1}))
		if whole.said() != bytewise.said() {
			t.Fatalf("whole:\n%s\ncut:\n%s", whole.said(), bytewise.said())
		}
	})
}

var fuzzTopics = []string{"x", "in/1", "in/2", "a/b/c", "$queue/q", "$SYS/x", "held", "in"}
var fuzzFilters = []string{"x", "in/#", "+/1", "#", "$queue/q", "$share/g/x", "a#", "$share/h/in/#"}

func fuzzedPacket(v packet.Version, b []byte) packet.Packet {
	id := uint16(b[2]%12 + 1)
	if b[2] == 77 {
		id = 77
	}
	switch kind := packet.Type(b[0] & 15); kind {
	case packet.PUBLISH:
		qos := b[1] & 3 % 3
		m := pub(fuzzTopics[b[3]&7], strings.Repeat("p", int(b[1]>>4)), qos, id)
		m.Retain = b[3]&8 != 0
		m.Dup = qos > 0 && b[1]&4 != 0
		if qos == 0 {
			m.ID = 0
		}
		if v >= v5 && b[3]&16 != 0 {
			m.Properties.SetNum(packet.TopicAlias, uint32(b[3]>>6+1))
		}
		if v >= v5 && b[3]&32 != 0 {
			m.Properties.SetNum(packet.MessageExpiryInterval, uint32(b[2]))
		}
		return m
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		a := ack(kind, id)
		if v >= v5 && b[1]&1 != 0 {
			a.Code = packet.UnspecifiedError
			if kind == packet.PUBREL || kind == packet.PUBCOMP {
				a.Code = packet.PacketIdentifierNotFound
			}
		}
		return a
	case packet.SUBSCRIBE:
		o := packet.NewOptions(b[1]&3%3, false, false, 0)
		if v >= v5 {
			o = packet.NewOptions(b[1]&3%3, b[1]&4 != 0 && b[3]&7 < 4, b[1]&8 != 0, b[1]>>4%3)
		}
		return sub(id, fuzzFilters[b[3]&7], o)
	case packet.UNSUBSCRIBE:
		return unsub(id, fuzzFilters[b[3]&7])
	case packet.PINGREQ:
		return ping
	case packet.DISCONNECT:
		if b[1]&7 == 0 {
			return bye(0)
		}
	}
	return nil
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(strings.ReplaceAll(s, " ", ""), "%x", &b); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return bytes.Clone(b)
}
