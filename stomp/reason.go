package stomp

import (
	"strings"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// failure is what ends a connection with an ERROR frame: its message header
// and body, and the neutral reason for logs and metrics.
type failure struct {
	reason       core.Reason
	message      string
	body         string
	subscription string // whose end it is; "" when it is none's
}

// failed makes a failure with wording of its own; the body gets its line end here.
func failed(r core.Reason, message, body string) *failure {
	return &failure{reason: r, message: message, body: body + "\n"}
}

func refused(body string) *failure {
	return failed(core.NotAuthorized, "access_refused", "ACCESS_REFUSED - "+body)
}

func notImplemented(what string) *failure {
	return failed(core.NotSupported, "not_implemented", "NOT_IMPLEMENTED - "+what+" is not supported")
}

// fromParse words what the codec refused.
func fromParse(e *frame.ParseError) *failure {
	switch e.Kind {
	case frame.BadCommand: // ST2
		return failed(core.ProtocolError, "Bad command", "Could not interpret command \""+e.Reason+"\"")
	case frame.TooLarge:
		return failed(core.TooLarge, "Invalid frame", e.Reason)
	}
	return failed(core.Malformed, "Invalid frame", e.Reason)
}

// fromReason turns a refusal of the core into the row of the table of
// docs/stomp.md, "Errors"; what names the object that was refused.
func fromReason(r core.Reason, what string) *failure {
	m := reasonMessage(r)
	body := r.String()
	if what != "" {
		body += ": " + what
	}
	if strings.IndexByte(m, '_') > 0 { // the AMQP names stand in upper case before the text
		body = strings.ToUpper(m) + " - " + body
	}
	return failed(r, m, body)
}

// reasonMessage is the message header for a neutral reason. It is total.
func reasonMessage(r core.Reason) string {
	switch r {
	case core.NotAuthenticated, core.BadClientID:
		return "Bad CONNECT"
	case core.NotAuthorized, core.LoginExpired, core.Kicked, core.TakenOver:
		return "access_refused"
	case core.BadTopic, core.BadFilter:
		return "Invalid destination"
	case core.BadSelector:
		return "Invalid selector"
	case core.NotFound:
		return "not_found"
	case core.Exists, core.Precondition, core.BadPayload:
		return "precondition_failed"
	case core.InUse, core.Locked:
		return "resource_locked"
	case core.TooLarge, core.Malformed:
		return "Invalid frame"
	case core.ProtocolError:
		return "Illegal command"
	case core.NotSupported:
		return "not_implemented"
	case core.Quota, core.QueueFull, core.RateExceeded, core.Busy, core.Unavailable, core.DiskFull:
		return "resource_error"
	case core.ShuttingDown, core.Moved:
		return "Server shutdown"
	case core.SlowConsumer:
		return "Slow consumer"
	case core.IdleTimeout:
		return "Idle"
	case core.QueueDeleted:
		return "Server cancelled subscription"
	case core.OK, core.NoReceiver, core.Normal, core.ConnectionLost, core.Internal:
		return "internal_error" // none of these is a refusal that a client can meet, but for a defect
	}
	return "internal_error"
}
