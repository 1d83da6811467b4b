package packet

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"unsafe"
)

// fuzzPacket feeds bodies of one packet type, in every version and from both
// sides. What is refused is refused with a code that the specification has for
// it; what is accepted comes back from its own encoding, which is the shortest
// one (MW6); where the stream is cut changes nothing (MW7); and nothing is
// allocated but what the input pays for (MW1).
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
		cutsChangeNothing(ft, rules, v, in, err)
		if err != nil {
			refusedByTheBook(ft, t, v, p, err)
			return
		}
		borrowed(ft, in, p)
		roundTrip(ft, rules, v, p)
		if enc := p.AppendTo(nil, v); len(enc) > len(in) {
			ft.Fatalf("% x encodes as % x, which is longer", in, enc)
		}
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
	if h, _ := Scan(enc, 0); h.Head != 1+VarintLen(uint32(h.Body)) {
		t.Fatalf("% x has a header of %d bytes for %d", enc, h.Head, h.Body)
	}
}

// refusals are the codes that decoding may give, by packet type: all can be
// said in the CONNACK or the DISCONNECT that answers.
var refusals = map[Type][]Code{
	CONNECT: {MalformedPacket, ProtocolError, UnsupportedProtocolVersion, ClientIdentifierNotValid, TopicNameInvalid, PacketTooLarge},
	PUBLISH: {MalformedPacket, ProtocolError, TopicNameInvalid, TopicAliasInvalid, PacketTooLarge},
}

func refusedByTheBook(t *testing.T, kind Type, v Version, p Packet, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("refused with a %T: %v", err, err)
	}
	allowed := refusals[kind]
	if allowed == nil {
		allowed = []Code{MalformedPacket, ProtocolError, PacketTooLarge}
	}
	if !slices.Contains(allowed, e.Code) {
		t.Fatalf("%s is refused with 0x%02x: %v", kind, byte(e.Code), e)
	}
	answer := pick(kind == CONNECT, inConnack, inDisconnect)
	if !e.Code.validIn(answer) {
		t.Fatalf("0x%02x cannot be said in the answer to a %s", byte(e.Code), kind)
	}
	if e.Rule == "" || len(e.Rule) > 100 {
		t.Fatalf("%q is no Reason String", e.Rule)
	}
	if c, ok := p.(*Connect); ok && !e.Silent && (c.Version < V31 || c.Version > V5) {
		t.Fatalf("%v, but no version to answer in", e)
	}
}

// cutsChangeNothing gives the scanner every beginning of a packet, and the
// packet with another one behind it.
func cutsChangeNothing(t *testing.T, rules *Rules, v Version, in []byte, want error) {
	t.Helper()
	step := 1 + len(in)/64
	for n := 0; n < len(in); n += step {
		h, s := Scan(in[:n], 0)
		if s == Complete || s.Err() != nil {
			t.Fatalf("% x cut at %d: %v", in, n, s)
		}
		if n == 0 {
			continue
		}
		if err := h.Check(v, rules.From); err != nil && err != want {
			t.Fatalf("% x cut at %d is refused with %v, whole with %v", in, n, err, want)
		}
	}
	more := append(bytes.Clone(in), 0xff, 0xff, 0xff)
	h, s := Scan(more, 0)
	if s != Complete || h.Size() != len(in) {
		t.Fatalf("% x followed by more: %v, %d bytes", in, s, h.Size())
	}
	if err := h.Check(v, rules.From); err != nil {
		if err != want {
			t.Fatalf("% x followed by more: %v, alone %v", in, err, want)
		}
		return
	}
	if err := New(h.Type).Parse(rules, v, h.Flags, more[h.Head:h.Size()]); err != want {
		t.Fatalf("% x followed by more: %v, alone %v", in, err, want)
	}
}

// borrowed checks that every value of a packet lies within its input, and that
// the lists beside hold no more than that input can have named.
func borrowed(t *testing.T, in []byte, p Packet) {
	t.Helper()
	from, to := uintptr(unsafe.Pointer(&in[0])), uintptr(unsafe.Pointer(&in[0]))+uintptr(len(in))
	var walk func(x reflect.Value)
	walk = func(x reflect.Value) {
		switch x.Kind() {
		case reflect.Pointer:
			walk(x.Elem())
		case reflect.Struct:
			for i := range x.NumField() {
				walk(x.Field(i))
			}
		case reflect.Array:
			for i := range x.Len() {
				walk(x.Index(i))
			}
		case reflect.Slice:
			if x.Type().Elem().Kind() == reflect.Uint8 {
				if at := x.Pointer(); x.Len() > 0 && (at < from || at+uintptr(x.Len()) > to) {
					t.Fatalf("%s: %d bytes that are not the input's", p.Kind(), x.Len())
				}
				return
			}
			if x.Cap() > 4+2*len(in) {
				t.Fatalf("%s: a list of %d from %d bytes", p.Kind(), x.Cap(), len(in))
			}
			for i := range x.Len() {
				walk(x.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(p))
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
func FuzzPingreq(f *testing.F)     { fuzzPacket(f, PINGREQ) }
func FuzzPingresp(f *testing.F)    { fuzzPacket(f, PINGRESP) }
func FuzzDisconnect(f *testing.F)  { fuzzPacket(f, DISCONNECT) }
func FuzzAuth(f *testing.F)        { fuzzPacket(f, AUTH) }

// FuzzScan cuts a stream in two: the header is the same.
func FuzzScan(f *testing.F) {
	for _, c := range goldens(f) {
		f.Add(c.hex, 3)
	}
	for _, c := range badCases(f) {
		f.Add(c.hex, 1)
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

// FuzzStream cuts a stream of packets of one side in pieces: the packets, and
// the error that ends it, are the same (MW7).
func FuzzStream(f *testing.F) {
	for _, b := range cves(f) {
		f.Add(byte(V5), byte(Client), b, []byte{3})
	}
	for _, v := range []Version{V31, V311, V5} {
		for _, from := range []Side{Client, Server} {
			var stream []byte
			for _, c := range goldens(f) {
				if c.version == v && c.from == from {
					stream = append(stream, c.hex...)
				}
			}
			f.Add(byte(v), byte(from), stream, []byte{1, 2, 3, 5, 8})
		}
	}
	for _, c := range badCases(f) {
		f.Add(byte(c.version), byte(Client), append(unhex(f, "c0 00"), c.hex...), []byte{3})
	}
	f.Fuzz(func(t *testing.T, version, from byte, in, cuts []byte) {
		v, rules := Version(3+version%3), &Rules{From: Side(from & 1)}
		whole, werr := readStream(rules, v, in, nil)
		split, serr := readStream(rules, v, in, cuts)
		if werr != serr || !slices.Equal(whole, split) {
			t.Fatalf("whole: %v %q\nsplit: %v %q", werr, whole, serr, split)
		}
	})
}

// readStream reads packets the way a connection does, given pieces of the
// sizes in cuts, again and again; nil is one piece.
func readStream(rules *Rules, v Version, in, cuts []byte) (all []string, err error) {
	packets := map[Type]Packet{} // reused, as the users of the package do
	var buf []byte
	for i := 0; len(in) > 0; i++ {
		n := len(in)
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[i%len(cuts)]))
		}
		buf, in = append(buf, in[:n]...), in[n:]
		for {
			h, s := Scan(buf, 1<<16)
			if len(buf) == 0 {
				break
			}
			if err := h.Check(v, rules.From); err != nil {
				return all, err
			}
			if err := s.Err(); err != nil {
				return all, err
			}
			if s != Complete {
				break
			}
			if packets[h.Type] == nil {
				packets[h.Type] = New(h.Type)
			}
			if err := packets[h.Type].Parse(rules, v, h.Flags, buf[h.Head:h.Size()]); err != nil {
				return all, err
			}
			all = append(all, describe(packets[h.Type]))
			buf = buf[h.Size():]
		}
	}
	return all, nil
}

// cves are the inputs that brought others down, of every protocol (test/abuse/testdata/cve).
func cves(f *testing.F) (all [][]byte) {
	f.Helper()
	files, err := filepath.Glob("../../test/abuse/testdata/cve/*.bin")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d inputs, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}
