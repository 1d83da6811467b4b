package mqtt

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// keepAlive watches that the client sends something within one and a half
// times its keep alive. [MQTT-3.1.2-22]
// [3: MQTT-3.1.2-24]
type keepAlive struct {
	patience core.Time // 1.5 × keep alive in milliseconds; 0: for ever
	last     core.Time // when the last complete packet came
}

// start begins to watch; seconds is the agreed value.
func (k *keepAlive) start(now core.Time, seconds uint16) {
	k.patience, k.last = core.Time(seconds)*1500, now
}

func (k *keepAlive) heard(now core.Time) { k.last = now }

// due is when to look again, 0: never.
func (k *keepAlive) due() core.Time {
	if k.patience == 0 {
		return 0
	}
	return k.last + k.patience
}

func (k *keepAlive) expired(now core.Time) bool { return k.patience > 0 && now >= k.due() }

// pong answers a PINGREQ at once, ahead of queued deliveries. MK3
func (c *conn) pong(out *adapters.Output) {
	out.B = append(out.B, byte(packet.PINGRESP)<<4, 0)
	c.room.count.out(packet.PINGRESP)
}
