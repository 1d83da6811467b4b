package mqttsn

import (
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// onPingReq answers a client that is active, wakes one that sleeps, and looks
// for the one that it names if that is another (K2, K9, K11).
func (p *peer) onPingReq(t *core.Turn, body []byte, out *adapters.Output) error {
	q, err := packet.ParsePingReq(body)
	if err != nil {
		return err
	}
	if len(q.ClientID) > 0 && string(q.ClientID) != p.id {
		p.e.wakeElsewhere(t, p.at(), q, out)
		return nil
	}
	switch p.state {
	case asleep:
		p.wake(t, out)
	case awake:
		p.resend(t, time.Second, out) // it asked again: it has missed something
	default:
		reply(p, packet.Bare{Of: packet.PINGRESP}, out)
	}
	return nil
}
