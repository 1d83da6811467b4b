package core

// Reason is why something was refused or ended, in neutral words. Each
// protocol turns every value into its own code in its reason.go. OK is the
// zero value. A Reason other than OK is an error.
type Reason uint8

// The reasons. A comment names who meets it.
const (
	OK               Reason = iota
	NoReceiver              // publish: accepted, but no queue matched
	NotAuthenticated        // login: unknown user, wrong proof
	NotAuthorized           // any action that a rule denies
	BadClientID             // attach: identifier not allowed
	BadTopic                // topic name that breaks the rules
	BadFilter               // topic filter that breaks the rules
	BadPayload              // payload is not the text that it claims to be
	BadSelector             // an expression that does not parse
	NotFound                // queue, value or subscription does not exist
	Exists                  // it exists with other properties
	InUse                   // if-unused, if-empty, exclusive consumer
	Locked                  // exclusive queue of another connection
	Precondition            // a condition on the write does not hold
	TooLarge                // message, topic or header above a limit
	Malformed               // input that cannot be parsed
	ProtocolError           // input that parses, in the wrong place
	NotSupported            // known, and switched off or not offered
	Quota                   // a limit on sessions, subscriptions, retained, queues
	QueueFull               // a queue that refuses when full
	RateExceeded            // more than the agreed rate
	Busy                    // shedding load, backend busy
	Unavailable             // the store cannot write
	DiskFull                // the data directory is down to its reserve
	TakenOver               // the same client attached elsewhere
	Kicked                  // an administrator ended it
	ShuttingDown            // the gateway stops
	Moved                   // the gateway asks its clients to use another server
	SlowConsumer            // the peer does not read
	IdleTimeout             // keep-alive, heart-beat or idle time passed
	LoginExpired            // the login's end was reached
	QueueDeleted            // the queue that was consumed is gone
	ConnectionLost          // end of stream, reset, unreachable
	Normal                  // orderly end asked for by the client
	Internal                // a defect of ours
	reasonCount
)

var reasonText = [reasonCount]string{
	OK: "ok", NoReceiver: "no receiver", NotAuthenticated: "not authenticated",
	NotAuthorized: "not authorized", BadClientID: "bad client id", BadTopic: "bad topic",
	BadFilter: "bad filter", BadPayload: "bad payload", BadSelector: "bad selector",
	NotFound: "not found", Exists: "exists with other properties", InUse: "in use",
	Locked: "locked", Precondition: "precondition failed", TooLarge: "too large",
	Malformed: "malformed", ProtocolError: "protocol error", NotSupported: "not supported",
	Quota: "quota exceeded", QueueFull: "queue full", RateExceeded: "rate exceeded",
	Busy: "busy", Unavailable: "store unavailable", DiskFull: "disk full", TakenOver: "taken over", Kicked: "kicked",
	ShuttingDown: "shutting down", Moved: "moved", SlowConsumer: "slow consumer", IdleTimeout: "idle timeout",
	LoginExpired: "login expired", QueueDeleted: "queue deleted",
	ConnectionLost: "connection lost", Normal: "normal", Internal: "internal error",
}

// String is the reason in words, as logs and metrics show it.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonText[r]
	}
	return "unknown reason"
}

// Error makes a Reason usable as an error value.
func (r Reason) Error() string { return r.String() }

// Err is nil for OK and NoReceiver, else the reason itself.
func (r Reason) Err() error {
	if r == OK || r == NoReceiver {
		return nil
	}
	return r
}

// Refuses tells that the reason is why something was refused that a client
// asked for in due form: a rule, a limit, overload or a disk. The others tell of
// malformed input, of how things are, or of an end.
func (r Reason) Refuses() bool {
	switch r {
	case NotAuthenticated, NotAuthorized, BadClientID, BadTopic, BadFilter, BadPayload, BadSelector, Exists, InUse, Locked,
		TooLarge, NotSupported, Quota, QueueFull, RateExceeded, Busy, Unavailable, DiskFull, Internal:
		return true
	}
	return false
}

// Reasons lists every value, for the table tests of the protocols.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
