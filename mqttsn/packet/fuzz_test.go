package packet

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse feeds arbitrary datagrams: what parses comes back from its own
// bytes as the same value, and Len tells the truth.
func FuzzParse(f *testing.F) {
	for _, b := range cves(f) {
		f.Add(b)
	}
	for _, g := range golden(f) {
		f.Add(unhex(f, g[0]))
	}
	f.Add([]byte{1, 0, 2})
	f.Add([]byte{1, 0xff, 0xff, 0x0c})
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := Parse(in)
		if err != nil {
			return
		}
		wire := p.AppendTo(nil)
		if len(wire) != p.Len() || len(wire) > len(in) {
			t.Fatalf("% x: Len %d, sent % x", in, p.Len(), wire)
		}
		again, err := Parse(wire)
		if err != nil || text(again) != text(p) {
			t.Fatalf("% x: %s, then %v, %v", in, text(p), again, err)
		}
		if !bytes.Equal(again.AppendTo(nil), wire) {
			t.Fatalf("% x: not canonical", wire)
		}
	})
}

// FuzzCut checks that packets cut off a buffer stay inside it.
func FuzzCut(f *testing.F) {
	f.Add([]byte{2, 0x16, 3, 5, 0})
	f.Add([]byte{1, 0, 4, 0x16, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		for len(in) > 0 {
			_, body, rest, err := Cut(in)
			if err != nil {
				return
			}
			if len(body)+len(rest)+2 > len(in) || cap(body) != len(body) {
				t.Fatalf("% x: body %d, rest %d", in, len(body), len(rest))
			}
			in = rest
		}
	})
}

// FuzzRoundTrip builds packets from values: parsing gives the value back.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint16(1025), uint16(3), byte(1), "a/b", []byte("x"))
	f.Add(uint16(0), uint16(0xffff), byte(0x6e), "", make([]byte, 300))
	f.Fuzz(func(t *testing.T, id, mid uint16, bits byte, name string, data []byte) {
		name = string(bytes.ToValidUTF8([]byte(name), nil))
		q, on := QoS(bits%3), bits&0x80 != 0
		for _, p := range []Packet{
			Connect{Will: on, Clean: !on, ProtocolID: bits, Duration: id, ClientID: []byte(name)},
			WillTopic{Update: on, QoS: q, Retain: on, Topic: []byte(name)},
			WillMsg{Update: on, Payload: data},
			Register{id, mid, []byte(name)},
			Publish{on, q - 1, on, TopicKind(bits >> 2 & 3), id, mid, data},
			Subscribe{on, q - 1, mid, Topic{Normal, 0, []byte(name)}},
			Unsubscribe{mid, Topic{Predefined, id, nil}},
			SubAck{q, id, mid, Code(bits)},
			TopicAck{PUBACK, id, mid, Code(bits)},
			Disconnect{id},
			Auth{bits, bytes.ToValidUTF8([]byte(name[:min(len(name), 255)]), nil), data},
			PingReq{[]byte(name)},
		} {
			if p.Len() > MaxLen {
				continue
			}
			got, err := Parse(p.AppendTo(nil))
			if err != nil || text(got) != text(p) {
				t.Fatalf("%s came back as %v, %v", text(p), got, err)
			}
		}
	})
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
