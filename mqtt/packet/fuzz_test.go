package packet

import (
	"bytes"
	"testing"
)

// fuzzPacket feeds bodies of one packet type, in every version and from both
// sides: no panic, and what is accepted comes back from its own encoding.
func fuzzPacket(f *testing.F, t Type) {
	for _, c := range goldens(f) {
		if h, s := Scan(c.hex, 0); s == Complete && h.Type == t {
			f.Add(byte(c.version), byte(c.from), h.Flags, c.hex[h.Head:])
		}
	}
	for _, c := range badCases(f) {
		if h, s := Scan(c.hex, 0); s == Complete && h.Type == t {
			f.Add(byte(c.version), byte(Client), h.Flags, c.hex[h.Head:h.Size()])
		}
	}
	f.Fuzz(func(ft *testing.T, version, from, flags byte, body []byte) {
		v := Version(3 + version%3)
		rules := &Rules{From: Side(from & 1), StrictUTF8: from&2 != 0}
		in := AppendVarint([]byte{byte(t)<<4 | flags&15}, uint32(len(body)))
		in = append(in, body...)
		p, err := decode(rules, v, in)
		if err != nil {
			return
		}
		roundTrip(ft, rules, v, p)
	})
}

// roundTrip checks MW6: decode(encode(p)) is p, byte for byte.
func roundTrip(t *testing.T, rules *Rules, v Version, p Packet) {
	t.Helper()
	enc := p.AppendTo(nil, v)
	again, err := decode(rules, v, enc)
	if err != nil {
		t.Fatalf("%s encodes as % x: %v", describe(p), enc, err)
	}
	if a, b := describe(p), describe(again); a != b {
		t.Fatalf("%s came back as %s", a, b)
	}
	if second := again.AppendTo(nil, v); !bytes.Equal(enc, second) {
		t.Fatalf("% x encodes again as % x", enc, second)
	}
	if l, ok := p.(interface{ Len(Version) int }); ok && l.Len(v) != len(enc) {
		t.Fatalf("Len = %d, encoding has %d", l.Len(v), len(enc))
	}
}

func FuzzConnect(f *testing.F)     { fuzzPacket(f, CONNECT) }
func FuzzConnack(f *testing.F)     { fuzzPacket(f, CONNACK) }
func FuzzPublish(f *testing.F)     { fuzzPacket(f, PUBLISH) }
func FuzzPuback(f *testing.F)      { fuzzPacket(f, PUBACK) }
func FuzzPubrec(f *testing.F)      { fuzzPacket(f, PUBREC) }
func FuzzPubrel(f *testing.F)      { fuzzPacket(f, PUBREL) }
func FuzzPubcomp(f *testing.F)     { fuzzPacket(f, PUBCOMP) }
func FuzzSubscribe(f *testing.F)   { fuzzPacket(f, SUBSCRIBE) }
func FuzzSuback(f *testing.F)      { fuzzPacket(f, SUBACK) }
func FuzzUnsubscribe(f *testing.F) { fuzzPacket(f, UNSUBSCRIBE) }
func FuzzUnsuback(f *testing.F)    { fuzzPacket(f, UNSUBACK) }
func FuzzPing(f *testing.F)        { fuzzPacket(f, PINGREQ) }
func FuzzDisconnect(f *testing.F)  { fuzzPacket(f, DISCONNECT) }
func FuzzAuth(f *testing.F)        { fuzzPacket(f, AUTH) }

// FuzzScan feeds a stream in two pieces: the packets are the same.
func FuzzScan(f *testing.F) {
	for _, c := range goldens(f) {
		f.Add(c.hex, 3)
	}
	f.Add(unhex(f, "30 ff ff ff ff 7f"), 2)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		whole, state := Scan(in, 1<<20)
		if state == Complete && whole.Size() > len(in) {
			t.Fatalf("complete with %d of %d bytes", len(in), whole.Size())
		}
		if cut < 0 || cut > len(in) {
			return
		}
		part, ps := Scan(in[:cut], 1<<20)
		switch {
		case ps == HeaderShort:
		case ps == BodyShort && (state != BodyShort && state != Complete || part != whole):
			t.Fatalf("%v %+v became %v %+v", ps, part, state, whole)
		case ps != BodyShort && (ps != state || part != whole):
			t.Fatalf("%v %+v became %v %+v", ps, part, state, whole)
		}
	})
}
