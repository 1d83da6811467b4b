package mqtt

import (
	"math/rand/v2"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// keepAlive watches that the client sends something within one and a half
// times its keep alive. [MQTT-3.1.2-22]
// [3: MQTT-3.1.2-24]
type keepAlive struct {
	last     core.Time // when the last complete packet came; while stopped: how long before that began
	patience uint32    // 1.5 × keep alive in milliseconds; 0: for ever
	stopped  bool      // we do not read
}

// start begins to watch; seconds is the agreed value.
func (k *keepAlive) start(now core.Time, seconds uint16) {
	k.patience, k.last = uint32(seconds)*1500, now
}

func (k *keepAlive) heard(now core.Time) {
	if k.last = now; k.stopped {
		k.last = 0
	}
}

// stop lets the time stand still while we do not read: the client's silence is
// not its own then. MF6
func (k *keepAlive) stop(now core.Time) {
	if !k.stopped {
		k.stopped, k.last = true, now-k.last
	}
}

// resume lets the time run on.
func (k *keepAlive) resume(now core.Time) {
	if k.stopped {
		k.stopped, k.last = false, now-k.last
	}
}

// due is when to look again, 0: never.
func (k *keepAlive) due() core.Time {
	if k.patience == 0 || k.stopped {
		return 0
	}
	return k.last + core.Time(k.patience)
}

func (k *keepAlive) expired(now core.Time) bool {
	at := k.due()
	return at != 0 && now >= at
}

// pong answers a PINGREQ at once, ahead of queued deliveries. MK3
func (c *conn) pong(t *core.Turn, out *adapters.Output) {
	out.B = append(out.B, byte(packet.PINGRESP)<<4, 0)
	c.room.count.out(t, packet.PINGRESP)
}

// spreadKeepAlive makes the keep alive of a client that connects during
// overload longer, by up to a half: fewer PINGREQ, and not all at once.
func (o *opening) spreadKeepAlive(most uint16) {
	longest := min(int(o.keepAlive)+int(o.keepAlive)/2, 65535)
	if most > 0 {
		longest = min(longest, int(most))
	}
	if longest > int(o.keepAlive) {
		o.keepAlive += uint16(rand.IntN(longest-int(o.keepAlive)) + 1)
		o.tellKeepAlive = true
	}
}
