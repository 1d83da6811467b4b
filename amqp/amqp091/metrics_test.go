package amqp091_test

import (
	"testing"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestGaugesReturnToZero(t *testing.T) {
	simulate(t, func(w *world) {
		gauge := func(name string, labels ...string) uint64 { return w.Host.Metrics.Counter(name, labels...).Load() }
		for _, end := range []func(p *peer){
			func(p *peer) { p.Drop() },
			func(p *peer) { p.send(0, &wire.ConnectionClose{Code: 200}) },
			func(p *peer) { p.send(1, &wire.BasicAck{DeliveryTag: 99}, &wire.ChannelCloseOk{}); p.Drop() },
			func(p *peer) {
				p.send(1, &wire.BasicNack{Multiple: true}, &wire.BasicCancel{ConsumerTag: "c"}, &wire.ChannelClose{})
				p.Drop()
			},
			func(p *peer) { p.send(1, &wire.QueueDelete{Queue: "q"}); p.Drop() },
		} {
			p := w.dial()
			p.queue("q", "1", "2")
			p.send(1, &wire.ConfirmSelect{}, consume("q", "c"))
			if gauge("amqp_connections", "0-9-1") != 1 || gauge("amqp_channels") != 1 || gauge("amqp_consumers") != 1 || gauge("amqp_unacked") < 2 {
				t.Fatal("not counted")
			}
			end(p)
			for _, name := range []string{"amqp_channels", "amqp_consumers", "amqp_unacked", "amqp_unconfirmed"} {
				if n := gauge(name); n != 0 {
					t.Errorf("%s: %d", name, int64(n))
				}
			}
			if n := gauge("amqp_connections", "0-9-1"); n != 0 {
				t.Errorf("connections: %d", int64(n))
			}
		}
	})
}

func TestFramesAreCounted(t *testing.T) {
	simulate(t, func(w *world) {
		frames := func(direction string) uint64 { return w.Host.Metrics.Counter("amqp_frames_total", direction).Load() }
		p := w.dial()
		in, out := frames("in"), frames("out")
		p.queue("q", "1") // queue.declare, and basic.publish in three frames
		p.send(1, consume("q", "c"))
		if in, out = frames("in")-in, frames("out")-out; in != 5 || out != 5 {
			t.Errorf("%d in; %d out: declare-ok, consume-ok and basic.deliver in three frames are five", in, out)
		}
	})
}
