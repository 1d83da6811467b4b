package mqttsn

import (
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// notAuthorized is EMQX's code in the reserved range, sent when emqx_codes is
// on.
const notAuthorized packet.Code = 0x80

// refusal is the code for what is refused, which is counted, or for what is not.
func (e *endpoint) refusal(r core.Reason) packet.Code {
	if r.Refuses() {
		e.metrics.set.Refused(Name, r)
	}
	return code(r, e.cfg.EMQXCodes)
}

// code turns a neutral reason into a return code.
func code(r core.Reason, emqx bool) packet.Code {
	switch r {
	case core.OK, core.NoReceiver, core.Normal:
		return packet.Accepted
	case core.NotAuthenticated, core.NotAuthorized:
		if emqx {
			return notAuthorized
		}
	case core.Quota, core.QueueFull, core.RateExceeded, core.Busy, core.Unavailable, core.DiskFull,
		core.ShuttingDown, core.Moved, core.SlowConsumer, core.TakenOver, core.Internal:
		return packet.Congestion
	}
	return packet.NotSupported
}
