package mqttsn

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// BenchmarkPublish is the way of a message from a datagram to the core, with
// nobody listening, and with one subscriber of this protocol.
func BenchmarkPublish(b *testing.B) {
	for _, x := range []struct {
		name       string
		qos        packet.QoS
		subscribed bool
	}{{"qos0", 0, false}, {"qos1", 1, false}, {"qos0 to a subscriber", 0, true}, {"qos1 to a subscriber", 1, true}} {
		b.Run(x.name, func(b *testing.B) {
			r, err := New(adaptertest.New(b, newRoom, adaptertest.Options{}).Host, Config{MaxInflight: 16, RatePerSource: Unlimited})
			if err != nil {
				b.Fatal(err)
			}
			l := newBenchLoop(r)
			pub, sub := l.client("10.0.0.1:1000"), l.client("10.0.0.2:1000")
			l.put(pub, packet.Register{MsgID: 1, Name: []byte("a/b")})
			if x.subscribed {
				l.put(sub, packet.Subscribe{QoS: 1, MsgID: 1, Topic: packet.Topic{Name: []byte("a/b")}})
			}
			p := packet.Publish{QoS: x.qos, TopicID: firstID, Data: make([]byte, 64)}
			var wire []byte
			b.ReportAllocs()
			for b.Loop() {
				if x.qos > 0 {
					p.MsgID = max(p.MsgID+1, 1)
				}
				wire = p.AppendTo(wire[:0])
				l.datagram(pub, wire)
				l.acknowledge(sub)
			}
		})
	}
}

var _ core.Sink = (*benchHandle)(nil)
