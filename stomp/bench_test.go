package stomp

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
)

// One SEND with a body of 128 octets to one subscriber, from the octets of one
// connection to the octets of the other.
func BenchmarkTopic(b *testing.B) {
	for name, ack := range map[string]string{"auto": "auto", "client": "client"} {
		b.Run(name, func(b *testing.B) {
			d := adaptertest.New(b, newRoom, adaptertest.Options{})
			sub, pub := d.Open(), d.Open()
			sub.SendString("CONNECT\naccept-version:1.2\n\n\x00SUBSCRIBE\nid:1\ndestination:/topic/a.b\nack:" + ack + "\n\n\x00")
			pub.SendString("CONNECT\naccept-version:1.2\n\n\x00")
			const batch = 64
			frames := []byte(strings.Repeat("SEND\ndestination:/topic/a.b\ncontent-length:128\n\n"+strings.Repeat("x", 128)+"\x00", batch))
			sub.Recv()
			b.ReportAllocs()
			for b.Loop() {
				pub.Send(frames)
				got := sub.Recv()
				if len(got) < batch*128 {
					b.Fatalf("%d octets", len(got))
				}
				if ack == "client" {
					at := strings.LastIndex(string(got), "\nack:") + 5
					id := string(got[at : at+strings.IndexByte(string(got[at:]), '\n')])
					sub.SendString("ACK\nid:" + id + "\n\n\x00")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/message")
		})
	}
}

// A run of 16 messages of 64 octets to one subscriber.
func BenchmarkDirectRun(b *testing.B) {
	d := adaptertest.New(b, newRoom, adaptertest.Options{})
	sub := d.Open()
	sub.SendString("CONNECT\naccept-version:1.2\n\n\x00SUBSCRIBE\nid:1\ndestination:/topic/a.b\n\n\x00")
	c := sub.Room().(*conn)
	var run core.Run
	run.Begin("a/b", "mqtt")
	for range 16 {
		run.Add(make([]byte, 64), 64)
	}
	x := &core.Delivery{Message: run.At(0), Consumer: c.subs.byKey["T_1"].consumer, Attempt: 1}
	out := new(adapters.Output)
	turn := d.Router.NewTurn(nil)
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if !c.DirectRun(turn, x, &run, out) {
			b.Fatal("refused")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*run.Len()), "ns/message")
}
