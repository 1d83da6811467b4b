package coap

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
)

func BenchmarkPublishCON(b *testing.B) {
	r := newRig(b, Config{})
	bench := []byte("\x44\x02\x00\x00tok1\xb2ps\x04room\x01t\xff" + string(make([]byte, 64)))
	from := netip.MustParseAddrPort("127.0.0.1:4000")
	b.ReportAllocs()
	id := uint16(0)
	for b.Loop() {
		id++
		binary.BigEndian.PutUint16(bench[2:], id)
		r.turn.Begin()
		r.give(from, bench)
		r.turn.End()
		r.out.Reset()
	}
}

func BenchmarkNotifyNON(b *testing.B) {
	r := newRig(b, Config{})
	from := netip.MustParseAddrPort("127.0.0.1:4000")
	for i := range 100 {
		obs := netip.AddrPortFrom(from.Addr(), uint16(5000+i))
		r.give(obs, []byte("\x41\x01\x00\x01o\x60\x52ps\x04room\x01t"))
	}
	r.out.Reset()
	bench := []byte("\x54\x02\x00\x00tok1\xb2ps\x04room\x01t\xff" + string(make([]byte, 64)))
	b.ReportAllocs()
	id := uint16(0)
	for b.Loop() {
		id++
		binary.BigEndian.PutUint16(bench[2:], id)
		for _, h := range r.loop.made { // ids without end: this is about the cost
			h.d.(*peer).ids.filled = nil
		}
		r.turn.Begin()
		r.give(from, bench)
		r.turn.End()
		if n := len(r.out.Datagrams()); n != 101 {
			b.Fatalf("%d datagrams", n)
		}
		r.out.Reset()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/notification")
}

func BenchmarkGetRetained(b *testing.B) {
	r := newRig(b, Config{})
	from := netip.MustParseAddrPort("127.0.0.1:4000")
	r.give(from, []byte("\x40\x03\x00\x02\xb2ps\x04room\x01t\xff22.5"))
	bench := []byte("\x44\x01\x00\x00tok1\xb2ps\x04room\x01t")
	b.ReportAllocs()
	id := uint16(10)
	for b.Loop() {
		id++
		binary.BigEndian.PutUint16(bench[2:], id)
		r.turn.Begin()
		r.give(from, bench)
		r.turn.End()
		r.out.Reset()
	}
}

// BenchmarkIdleObserver measures the memory of an observer: peer, session,
// queue, consumer and index entry.
func BenchmarkIdleObserver(b *testing.B) {
	const n = 20_000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		r := newRig(b, Config{})
		before := heap()
		for i := range n {
			r.give(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, byte(i >> 12), 1}), uint16(i)), []byte("\x41\x01\x00\x01o\x60\x52ps\x04room\x01t"))
			r.out.Reset()
		}
		b.ReportMetric(float64(heap()-before)/n, "B/observer")
		r.ep.Close(r.turn, 0, &r.out)
	}
}
