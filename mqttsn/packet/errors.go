package packet

// An Error says why a datagram is malformed; its text is the reason label of
// the counter of malformed packets. None of them deserves an answer.
type Error string

// Error implements error.
func (e Error) Error() string { return "mqttsn: malformed packet: " + string(e) }

// Reason is the short name of the defect.
func (e Error) Reason() string { return string(e) }

// The defects.
const (
	ErrLength    = Error("length")    // the length field, or a body too short or too long for its type
	ErrType      = Error("type")      // a reserved message type
	ErrUTF8      = Error("utf8")      // a topic name or client id that is not UTF-8
	ErrFlags     = Error("flags")     // a flag value that the packet cannot have
	ErrForwarder = Error("forwarder") // nested or empty encapsulation
)
