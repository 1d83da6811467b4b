package mqtt

import (
	"bytes"
	"math"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

var errDelayed = &packet.Error{Code: packet.TopicNameInvalid, Rule: "MY5 not $delayed/SECONDS/TOPIC with SECONDS from 1 to the maximum"}

var delayedPrefix = []byte("$delayed/")

// splitDelayed takes "$delayed/SECONDS/" off a topic. What has that prefix and
// another form is refused.
func (s *settings) splitDelayed(name []byte) (place, error) {
	if len(name) == 0 || name[0] != '$' || !bytes.HasPrefix(name, delayedPrefix) {
		return place{name: name}, nil
	}
	digits, to, ok := bytes.Cut(name[len(delayedPrefix):], []byte{'/'})
	seconds := uint64(0)
	for _, d := range digits {
		if ok = ok && d >= '0' && d <= '9'; !ok {
			break
		}
		seconds = min(seconds*10+uint64(d-'0'), math.MaxUint32)
	}
	if !ok || seconds == 0 || seconds > uint64(s.delayedMax) || len(to) == 0 {
		return place{}, errDelayed
	}
	return place{name: to, after: uint32(seconds)}, nil
}

// submitLater stores a message that is published later. MY6
func (c *conn) submitLater(t *core.Turn, p *packet.Publish, to place) (seq uint64, pending bool, r core.Reason) {
	m := c.describe(core.NewMessage(p.Payload), t, p, string(to.name))
	return c.session.PublishLater(t, m, time.Duration(to.after)*time.Second, c.room.set.delayedMessages)
}
