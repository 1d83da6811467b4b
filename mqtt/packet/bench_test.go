package packet

import (
	"bytes"
	"testing"
)

func publish64(v Version) []byte {
	p := Publish{Topic: []byte("site/4711/temperature"), Payload: bytes.Repeat([]byte("x"), 64)}
	return p.AppendTo(nil, v)
}

func TestDecodingAPublishWithoutPropertiesAllocatesNothing(t *testing.T) {
	in := publish64(V5)
	var rules Rules
	var p Publish
	if n := testing.AllocsPerRun(100, func() {
		h, _ := Scan(in, 1<<20)
		if h.Check(V5, Client) != nil || p.Parse(&rules, V5, h.Flags, in[h.Head:h.Size()]) != nil {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecodePublish64(b *testing.B) {
	in := publish64(V5)
	var rules Rules
	var p Publish
	b.ReportAllocs()
	for b.Loop() {
		h, _ := Scan(in, 1<<20)
		if h.Check(V5, Client) != nil || p.Parse(&rules, V5, h.Flags, in[h.Head:h.Size()]) != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkDecodePublishProperties(b *testing.B) {
	var in []byte
	for _, c := range goldens(b) {
		if c.why == "PUBLISH with all its properties" {
			in = c.hex
		}
	}
	var rules Rules
	var p Publish
	b.ReportAllocs()
	for b.Loop() {
		h, _ := Scan(in, 1<<20)
		if err := p.Parse(&rules, V5, h.Flags, in[h.Head:h.Size()]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodePublish64(b *testing.B) {
	p := Publish{Topic: []byte("site/4711/temperature"), Payload: bytes.Repeat([]byte("x"), 64), QoS: 1, ID: 7}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = p.AppendTo(out[:0], V5)
	}
}

func BenchmarkAppendAck(b *testing.B) {
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = AppendAck(out[:0], V5, PUBACK, 7, Success)
	}
}

func BenchmarkDecodeConnect(b *testing.B) {
	in := unhex(b, "00 04 4d 51 54 54 05 02 00 3c 00 00 01 61")
	var rules Rules
	var c Connect
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Parse(&rules, 0, 0, in); err != nil {
			b.Fatal(err)
		}
	}
}
