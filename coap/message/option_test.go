package message

import (
	"bytes"
	"testing"
)

func TestCoAP_G14_AddKeepsOptionsInAscendingOrder(t *testing.T) {
	t.Parallel()
	var o Options
	for _, n := range []Number{Size1, URIPath, Accept, URIPath, IfMatch} {
		o.Add(n, []byte{byte(len(o))})
	}
	want := []struct {
		n Number
		v byte
	}{{IfMatch, 4}, {URIPath, 1}, {URIPath, 3}, {Accept, 2}, {Size1, 0}}
	for i, w := range want {
		if o[i].Number != w.n || o[i].Value[0] != w.v {
			t.Fatalf("at %d: %v", i, o)
		}
	}
}

func TestCoAP_G10_LeadingZerosAreLegal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wire []byte
		v    uint32
	}{{nil, 0}, {[]byte{0}, 0}, {[]byte{0, 1}, 1}, {[]byte{0, 0, 1, 0}, 256}, {[]byte{255, 255, 255, 255}, 1<<32 - 1}} {
		if v := Uint(c.wire); v != c.v {
			t.Errorf("%x: %d, want %d", c.wire, v, c.v)
		}
	}
}

func TestUintIsWrittenInTheShortestForm(t *testing.T) {
	t.Parallel()
	for v, n := range map[uint32]int{0: 0, 1: 1, 255: 1, 256: 2, 65535: 2, 65536: 3, 1<<24 - 1: 3, 1 << 24: 4} {
		if b := AppendUint(nil, v); len(b) != n || Uint(b) != v {
			t.Errorf("%d: %x", v, b)
		}
	}
}

func TestAllReturnsTheInstancesInOrder(t *testing.T) {
	t.Parallel()
	var o Options
	o.Add(URIPath, []byte("ps"))
	o.Add(URIPath, []byte("a"))
	o.Add(URIQuery, []byte("q"))
	if p := o.All(URIPath); len(p) != 2 || string(p[1].Value) != "a" {
		t.Fatalf("%v", p)
	}
	if p := o.All(MaxAge); len(p) != 0 {
		t.Fatalf("%v", p)
	}
	if _, ok := o.First(MaxAge); ok {
		t.Fatal("found what is not there")
	}
}

func TestExtendedDeltasAndLengthsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 12, 13, 14, 268, 269, 270, 1034, 65535} {
		for _, length := range []int{0, 12, 13, 268, 269, 1034} {
			m := Message{Type: CON, Code: GET, Options: Options{{Number(n), bytes.Repeat([]byte{'x'}, length)}}}
			wire := m.AppendTo(nil)
			var got Message
			if err := Parse(wire, &got); err != nil || m.Len() != len(wire) {
				t.Fatalf("%d/%d: %v, Len %d of %d", n, length, err, m.Len(), len(wire))
			}
			if o := got.Options[0]; int(o.Number) != n || len(o.Value) != length {
				t.Errorf("%d/%d: %d/%d", n, length, o.Number, len(o.Value))
			}
		}
	}
}
