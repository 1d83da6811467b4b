package wire

import (
	"strconv"
	"unicode/utf8"
)

// Code is a reply code (specification 1.2, "Constants"; RabbitMQ's additions).
type Code uint16

// Reply codes.
const (
	ReplySuccess       Code = 200
	ContentTooLarge    Code = 311
	NoRoute            Code = 312
	NoConsumers        Code = 313
	ConnectionForced   Code = 320
	InvalidPath        Code = 402
	AccessRefused      Code = 403
	NotFound           Code = 404
	ResourceLocked     Code = 405
	PreconditionFailed Code = 406
	FrameError         Code = 501
	SyntaxError        Code = 502
	CommandInvalid     Code = 503
	ChannelError       Code = 504
	UnexpectedFrame    Code = 505
	ResourceError      Code = 506
	NotAllowed         Code = 530
	NotImplemented     Code = 540
	InternalError      Code = 541
)

var codeNames = map[Code]string{
	ReplySuccess: "REPLY_SUCCESS", ContentTooLarge: "CONTENT_TOO_LARGE", NoRoute: "NO_ROUTE",
	NoConsumers: "NO_CONSUMERS", ConnectionForced: "CONNECTION_FORCED", InvalidPath: "INVALID_PATH",
	AccessRefused: "ACCESS_REFUSED", NotFound: "NOT_FOUND", ResourceLocked: "RESOURCE_LOCKED",
	PreconditionFailed: "PRECONDITION_FAILED", FrameError: "FRAME_ERROR", SyntaxError: "SYNTAX_ERROR",
	CommandInvalid: "COMMAND_INVALID", ChannelError: "CHANNEL_ERROR", UnexpectedFrame: "UNEXPECTED_FRAME",
	ResourceError: "RESOURCE_ERROR", NotAllowed: "NOT_ALLOWED", NotImplemented: "NOT_IMPLEMENTED",
	InternalError: "INTERNAL_ERROR",
}

// String is the specification's name, or the number where it has none.
func (c Code) String() string {
	if n, ok := codeNames[c]; ok {
		return n
	}
	return strconv.Itoa(int(c))
}

// Hard reports whether the code ends the connection and not just a channel
// (specification 1.2: "hard error").
func (c Code) Hard() bool { return c == ConnectionForced || c == InvalidPath || c >= FrameError }

// Error is a fault in what the peer sent, and the code that it is told.
type Error struct {
	Code Code
	Text string // a sentence, without the code's name
	ID   ID     // the method that failed, 0 where none did
	Why  error  // what the server's side knows of the cause; not on the wire
}

func (e *Error) Error() string { return "amqp: " + e.ReplyText() }

// Unwrap is Why.
func (e *Error) Unwrap() error { return e.Why }

// ReplyText is "NAME - text", cut on a rune to the 255 octets of a shortstr.
func (e *Error) ReplyText() string { return cut(e.Code.String() + " - " + e.Text) }

// cut shortens s to what a shortstr can hold, on a rune.
func cut(s string) string {
	if len(s) <= 255 {
		return s
	}
	n := 255
	for n > 252 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func syntax(text string) error { return &Error{Code: SyntaxError, Text: text} }
