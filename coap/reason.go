package coap

import (
	"math/rand/v2"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// codeOf is the response for each reason of the core (section 8.3).
func codeOf(r core.Reason) message.Code {
	switch r {
	case core.OK, core.NoReceiver:
		return message.Changed
	case core.NotAuthenticated, core.LoginExpired, core.BadClientID:
		return message.Unauthorized
	case core.NotAuthorized, core.Kicked, core.Locked, core.InUse:
		return message.Forbidden
	case core.BadTopic, core.BadFilter, core.BadSelector, core.BadPayload, core.Malformed, core.ProtocolError:
		return message.BadRequest
	case core.NotFound, core.QueueDeleted:
		return message.NotFound
	case core.Exists:
		return message.Conflict
	case core.Precondition:
		return message.PreconditionFailed
	case core.TooLarge:
		return message.RequestEntityTooLarge
	case core.NotSupported:
		return message.NotImplemented
	case core.RateExceeded:
		return message.TooManyRequests
	case core.Quota, core.QueueFull, core.Busy, core.Unavailable, core.DiskFull, core.ShuttingDown, core.Moved,
		core.TakenOver, core.SlowConsumer, core.IdleTimeout, core.ConnectionLost, core.Normal:
		return message.ServiceUnavailable
	}
	return message.InternalServerError
}

// failWith makes r the error for a reason, with what its code needs.
func (r *response) failWith(why core.Reason, c *Config) {
	code := codeOf(why)
	text := why.String()
	if code == message.InternalServerError {
		text = "" // no detail of a defect of ours
	}
	r.refuse(code, why, text)
	switch code {
	case message.ServiceUnavailable, message.TooManyRequests:
		r.setMaxAge(busyFor)
		if why == core.Busy {
			r.setMaxAge(busyFor + rand.Uint32N(busyMore)) // so that they do not all come back at once
		}
	case message.RequestEntityTooLarge:
		r.setSize1(uint32(c.MaxBody))
	}
}

// endOf is the final notification when the core ends an observation.
func endOf(r core.Reason) message.Code {
	switch r {
	case core.QueueDeleted, core.NotFound:
		return message.NotFound
	case core.ShuttingDown, core.Moved, core.Unavailable, core.Busy:
		return message.ServiceUnavailable
	}
	return message.Forbidden
}
