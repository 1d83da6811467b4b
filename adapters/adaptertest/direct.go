package adaptertest

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

var _ core.Carrier = (*Driver)(nil)

// Deliver is the driver's part of adapters.Direct. One in three is refused, so
// that every test of a room takes both ways.
func (d *Driver) Deliver(t *core.Turn, to core.Sink, x *core.Delivery) bool {
	k, ok := to.(*link)
	if !ok || k.conn == nil || k.dead || !k.auth || d.filling == k || k.conn.stall {
		return false
	}
	room, ok := k.driven.(adapters.Direct)
	if !ok || len(k.early.B) >= adapters.OutputSoft {
		return false
	}
	if d.offered++; d.offered%3 == 0 {
		return false
	}
	had := len(k.early.B)
	k.early.Counters(&d.out)
	did := room.Direct(t, x, &k.early)
	d.out.Counters(&k.early)
	if !did && len(k.early.B) > had {
		d.tb.Error("Direct has appended to what it refused")
	}
	k.Ready(t)
	return did
}
