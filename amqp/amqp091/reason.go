package amqp091

import (
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// replyCodes turns every neutral reason into the code that the peer is told
// (section 4).
var replyCodes = map[core.Reason]wire.Code{
	core.OK:               wire.ReplySuccess,
	core.NoReceiver:       wire.NoRoute,
	core.NotAuthenticated: wire.AccessRefused,
	core.NotAuthorized:    wire.AccessRefused,
	core.BadClientID:      wire.NotAllowed,
	core.BadTopic:         wire.PreconditionFailed,
	core.BadFilter:        wire.PreconditionFailed,
	core.BadPayload:       wire.PreconditionFailed,
	core.BadSelector:      wire.PreconditionFailed,
	core.NotFound:         wire.NotFound,
	core.Exists:           wire.PreconditionFailed,
	core.InUse:            wire.PreconditionFailed,
	core.Locked:           wire.ResourceLocked,
	core.Precondition:     wire.PreconditionFailed,
	core.TooLarge:         wire.ContentTooLarge,
	core.Malformed:        wire.SyntaxError,
	core.ProtocolError:    wire.CommandInvalid,
	core.NotSupported:     wire.NotImplemented,
	core.Quota:            wire.PreconditionFailed,
	core.QueueFull:        wire.PreconditionFailed,
	core.RateExceeded:     wire.PreconditionFailed,
	core.Busy:             wire.PreconditionFailed, // 506 would end the connection
	core.Unavailable:      wire.PreconditionFailed,
	core.DiskFull:         wire.PreconditionFailed,
	core.TakenOver:        wire.ConnectionForced,
	core.Kicked:           wire.ConnectionForced,
	core.ShuttingDown:     wire.ConnectionForced,
	core.Moved:            wire.ConnectionForced,
	core.SlowConsumer:     wire.ConnectionForced,
	core.IdleTimeout:      wire.ConnectionForced,
	core.LoginExpired:     wire.ConnectionForced,
	core.QueueDeleted:     wire.NotFound,
	core.ConnectionLost:   wire.ConnectionForced,
	core.Normal:           wire.ReplySuccess,
	core.Internal:         wire.InternalError,
}

// refusal is r as an error for the peer; text names the object.
func refusal(r core.Reason, text string) *wire.Error {
	c, ok := replyCodes[r]
	if !ok {
		c = wire.InternalError
	}
	return &wire.Error{Code: c, Text: text + ": " + r.String(), Why: r}
}

// reasonOf is what logs and metrics show for a connection that we closed with
// that code.
func reasonOf(c wire.Code) core.Reason {
	switch c {
	case wire.ReplySuccess:
		return core.Normal
	case wire.FrameError, wire.SyntaxError:
		return core.Malformed
	case wire.CommandInvalid, wire.ChannelError, wire.UnexpectedFrame, wire.NotAllowed:
		return core.ProtocolError
	case wire.NotImplemented:
		return core.NotSupported
	case wire.ResourceError:
		return core.Quota
	case wire.AccessRefused:
		return core.NotAuthorized
	case wire.ConnectionForced:
		return core.Kicked
	}
	return core.Internal
}
