package wire

import (
	"bytes"
	"testing"
)

func TestDeliveriesAreWhatOneByOneWouldBe(t *testing.T) {
	t.Parallel()
	var x Deliveries
	for _, c := range []struct {
		channel    uint16
		tag, place string
		properties string
	}{{1, "c", "\x09amq.topic\x03a.b", "\x10\x00\x01"}, {0x7fff, "", "\x00\x00", ""}, {2, string(make([]byte, 255)), "\x00\x01q", "\x00\x00"}} {
		x.Begin(c.channel, c.tag, []byte(c.place), []byte(c.properties))
		var got, want []byte
		most, count := 0, 0
		for i, body := range []string{"x", "", string(make([]byte, 5000)), "y"} {
			tag := uint64(1)<<40 + uint64(i)
			got = x.Append(got, tag, []byte(body))
			count += x.Frames([]byte(body))
			most += x.Len(len(body))
			want = AppendDeliver(want, c.channel, c.tag, tag, false, []byte(c.place))
			h := Header{Class: IDBasicPublish.Class(), BodySize: uint64(len(body)), Properties: []byte(c.properties)}
			want = AppendBody(h.AppendFrame(want, c.channel), c.channel, []byte(body), 131072)
		}
		if !bytes.Equal(got, want) || uint64(count) != Count(want) || most < len(want) {
			t.Errorf("channel %d: %d frames, %d octets at most\ngot  %.200q\nwant %.200q", c.channel, count, most, got, want)
		}
	}
}

func BenchmarkDeliveries(b *testing.B) {
	place, body := []byte("\x09amq.topic\x05a.b.c"), make([]byte, 128)
	var x Deliveries
	x.Begin(1, "ctag-1", place, []byte("\x10\x00\x01"))
	var tag uint64
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		tag++
		out = x.Append(out[:0], tag, body)
	}
}
