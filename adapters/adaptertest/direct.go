package adaptertest

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

var _ core.Carrier = (*Driver)(nil)

// Deliver is the driver's part of adapters.Direct. One in three is refused, so
// that every test of a room takes both ways.
func (d *Driver) Deliver(t *core.Turn, to core.Sink, x *core.Delivery) bool {
	k := d.receiver(to)
	if k == nil {
		return false
	}
	room, ok := k.driven.(adapters.Direct)
	return ok && k.appends(t, func(out *adapters.Output) bool { return room.Direct(t, x, out) })
}

// DeliverRun is the same for a run.
func (d *Driver) DeliverRun(t *core.Turn, to core.Sink, x *core.Delivery, r *core.Run) bool {
	k := d.receiver(to)
	if k == nil {
		return false
	}
	room, ok := k.driven.(adapters.DirectRun)
	return ok && k.appends(t, func(out *adapters.Output) bool { return room.DirectRun(t, x, r, out) })
}

// receiver is the connection that may be given something now, or nil.
func (d *Driver) receiver(to core.Sink) *link {
	k, ok := to.(*link)
	if !ok || k.conn == nil || k.dead || !k.auth || d.filling == k || k.conn.stall || len(k.early.B) >= adapters.OutputSoft {
		return nil
	}
	if d.offered++; d.offered%3 == 0 {
		return nil
	}
	return k
}

func (k *link) appends(t *core.Turn, direct func(*adapters.Output) bool) bool {
	had := len(k.early.B)
	k.early.Counters(&k.d.out)
	did := direct(&k.early)
	k.d.out.Counters(&k.early)
	if !did && len(k.early.B) > had {
		k.d.tb.Error("Direct has appended to what it refused")
	}
	k.Ready(t)
	return did
}

// Together publishes messages of QoS 0 to a topic as a run, by a session of its
// own, and settles. Their bytes are overwritten afterwards.
func (d *Driver) Together(topic string, payloads ...string) {
	d.tb.Helper()
	d.Turn(func(t *core.Turn) {
		d.filling = nil // nobody's input is being processed
		if d.together == nil {
			d.together, _ = d.Router.Attach(t, core.Client{}, deaf{})
		}
		mt, reason := d.together.Route(t, []byte(topic))
		if reason != core.OK {
			d.tb.Fatalf("route: %v", reason)
		}
		var run core.Run
		run.Begin(mt.Topic(), "together")
		for _, p := range payloads {
			run.Add([]byte(p), len(p))
		}
		if !d.together.PublishRun(t, mt, &run) {
			for i := range run.Len() {
				d.together.Publish(t, mt, run.At(i))
			}
		}
		for i := range run.Len() {
			scribble(run.Payload(i))
		}
	})
}

// deaf is the sink of a session that only publishes.
type deaf struct{}

func (deaf) Ready(*core.Turn)  {}
func (deaf) Evict(core.Reason) {}
