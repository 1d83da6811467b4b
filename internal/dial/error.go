package dial

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Kind is what a failure means to the caller; it decides the exit code of a command.
type Kind uint8

// The kinds of failure.
const (
	Failed      Kind = iota // another reason
	Usage                   // what was asked for does not exist in the protocol
	Unreachable             // refused, unknown host, time-out, no answer
	Login                   // the login was refused
	Denied                  // the topic is not allowed, or not valid there
	Untrusted               // TLS failed: one side does not take the other's certificate, or there is no TLS
)

// Error is a failure of a client. Err says why in the protocol's own words, with its name and code.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the protocol's own error.
func (e *Error) Unwrap() error { return e.Err }

type errorText string

func (e errorText) Error() string { return string(e) }

// classify makes an Error of what a client or the network returned.
func classify(err error) error {
	var have *Error
	if err == nil || errors.As(err, &have) {
		return err
	}
	if secure := tlsError(err); secure != nil {
		return &Error{Untrusted, secure}
	}
	var no *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return &Error{Unreachable, errorText("host " + dns.Name + " is unknown")}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Unreachable, errorText("connection refused: no server listens there")}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &Error{Unreachable, errorText("no answer in time")}
	case errors.As(err, &no) && no.Timeout():
		return &Error{Unreachable, errorText("no answer in time")}
	case errors.As(err, &no):
		return &Error{Unreachable, no.Err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return &Error{Unreachable, errorText("the server closed the connection")}
	}
	return &Error{Failed, err}
}

// KindOf returns the kind of an error of this package.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(classify(err), &e) {
		return e.Kind
	}
	return Failed
}
