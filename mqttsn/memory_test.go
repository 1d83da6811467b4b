package mqttsn

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// sleepers connects clients from..to that register five topics and go to sleep.
func sleepers(l *benchLoop, from, to int) {
	for i := from; i < to; i++ {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1000)
		l.put(a, packet.Connect{Clean: true, ProtocolID: 1, ClientID: fmt.Appendf(nil, "sensor-%d", i)})
		for k := range 5 {
			l.put(a, packet.Register{MsgID: uint16(k + 1), Name: fmt.Appendf(nil, "plant/%d/%d", i, k)})
		}
		l.put(a, packet.Disconnect{Duration: 3600})
	}
}

// A sleeping client with five topics and nothing to fetch costs less than 1 KiB
// (section 13), its session in the core included; the loop's handle is apart.
func TestMemoryOfASleepingClient(t *testing.T) {
	r, err := New(adaptertest.New(t, newRoom, adaptertest.Options{}).Host, Config{RatePerSource: Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	l := newBenchLoop(r)
	const n = 5000
	sleepers(l, 0, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	sleepers(l, n, 4*n)
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / (3 * n)
	t.Logf("%d bytes a sleeping client, session included", each)
	if each > 840 {
		t.Errorf("%d bytes a sleeping client", each)
	}
	runtime.KeepAlive(l)
}

// A steady stream of QoS 0 and 1 costs at most two allocations a message, that
// of the message itself included (section 13).
func TestAllocationsOfAPublish(t *testing.T) {
	r, err := New(adaptertest.New(t, newRoom, adaptertest.Options{}).Host, Config{RatePerSource: Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	l := newBenchLoop(r)
	pub, sub := l.client("10.0.0.1:1000"), l.client("10.0.0.2:1000")
	l.put(pub, packet.Register{MsgID: 1, Name: []byte("a/b")})
	l.put(sub, packet.Subscribe{QoS: 1, MsgID: 1, Topic: packet.Topic{Name: []byte("a/b")}})
	p := packet.Publish{TopicID: firstID, Data: make([]byte, 64)}
	var wire []byte
	for p.QoS = 0; p.QoS <= 1; p.QoS++ {
		n := testing.AllocsPerRun(1000, func() {
			if p.QoS > 0 {
				p.MsgID++
			}
			wire = p.AppendTo(wire[:0])
			l.datagram(pub, wire)
			l.acknowledge(sub)
		})
		if n > 2 {
			t.Errorf("QoS %d: %v allocations", p.QoS, n)
		}
	}
}

// first is the client of that identifier that came last, nil when there is
// none.
func (e *endpoint) first(id string) *peer {
	for p := range e.withID(id) {
		return p
	}
	return nil
}

// holders is how many clients hold a session.
func (e *endpoint) holders() (n int) {
	for _, p := range e.names {
		for ; p != nil; p = p.next {
			if p.holds {
				n++
			}
		}
	}
	return n
}
