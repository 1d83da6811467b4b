package message

import "io"

// FormatError says that a datagram is no CoAP message. It kills the message
// and nothing else: the receiver rejects it (RFC 7252, section 4.2), that is a
// Reset with the message id for a Confirmable one and silence for the others.
type FormatError struct {
	Reason string // short and constant: fit for a metric's label
	Silent bool   // no answer at all: there is no message to reject
	cause  error
}

func (e *FormatError) Error() string { return "coap: " + e.Reason }

// Unwrap returns io.ErrUnexpectedEOF for what was cut short.
func (e *FormatError) Unwrap() error { return e.cause }

// The ways in which a datagram is not a message. They are compared by
// identity and never allocated, since the sender may be hostile.
var (
	ErrShort   = &FormatError{Reason: "short header", Silent: true, cause: io.ErrUnexpectedEOF}
	ErrVersion = &FormatError{Reason: "version", Silent: true}

	ErrTokenLength   = &FormatError{Reason: "token length"}
	ErrCodeClass     = &FormatError{Reason: "reserved code class"}
	ErrTypeCode      = &FormatError{Reason: "code in the wrong type"}
	ErrNotEmpty      = &FormatError{Reason: "empty message with content"}
	ErrTruncated     = &FormatError{Reason: "truncated", cause: io.ErrUnexpectedEOF}
	ErrOptionNibble  = &FormatError{Reason: "option nibble 15"}
	ErrOptionNumber  = &FormatError{Reason: "option number"}
	ErrPayloadMarker = &FormatError{Reason: "marker without payload"}
)
