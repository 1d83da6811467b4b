package packet

import (
	"bytes"
	"testing"
)

func TestMQTT_MW4_VarintBounds(t *testing.T) {
	t.Parallel()
	for _, v := range []uint32{0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, MaxVarint} {
		b := AppendVarint(nil, v)
		if got, n := varint(b); got != v || n != len(b) || n != VarintLen(v) {
			t.Errorf("%d: read %d from %d of % x", v, got, n, b)
		}
		for cut := range b {
			if _, n := varint(b[:cut]); n != 0 {
				t.Errorf("%d cut at %d: %d", v, cut, n)
			}
		}
	}
	for _, bad := range []string{"80 00", "ff 00", "80 80 80 00", "ff ff ff ff 7f", "80 80 80 80 01"} {
		if _, n := varint(unhex(t, bad)); n != -1 {
			t.Errorf("%s: %d, want refused", bad, n)
		}
	}
}

func TestMQTT_MW3_TooLargeIsKnownAtTheHeader(t *testing.T) {
	t.Parallel()
	h, s := Scan(unhex(t, "30 ff 7f"), 1024)
	if s != TooLarge || h.Type != PUBLISH || s.Err() != errTooLarge {
		t.Fatalf("%+v %v", h, s)
	}
	if _, s := Scan(unhex(t, "30 0a"), 12); s != BodyShort {
		t.Errorf("exactly the limit: %v", s)
	}
	if _, s := Scan(unhex(t, "30 0b"), 12); s != TooLarge {
		t.Errorf("one above the limit: %v", s)
	}
}

// Any split of a stream gives the packets that one piece gives.
func TestMQTT_MW7_AnySplitGivesTheSamePackets(t *testing.T) {
	t.Parallel()
	var stream []byte
	var want [][]byte
	for _, c := range goldens(t) {
		stream = append(stream, c.hex...)
		want = append(want, c.hex)
	}
	for chunk := 1; chunk < 40; chunk++ {
		var buf []byte
		var got [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(chunk, len(rest))
			buf, rest = append(buf, rest[:n]...), rest[n:]
			for {
				h, s := Scan(buf, 0)
				if s != Complete {
					if s.Err() != nil {
						t.Fatal(s.Err())
					}
					break
				}
				got = append(got, bytes.Clone(buf[:h.Size()]))
				buf = buf[h.Size():]
			}
		}
		if len(got) != len(want) {
			t.Fatalf("chunks of %d: %d packets, want %d", chunk, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("chunks of %d: packet %d is % x", chunk, i, got[i])
			}
		}
	}
}
