package main

import (
	"context"
	"errors"
	"syscall"

	"github.com/entrepot/entrepot/internal/dial"
)

// Exit codes. docs/commands.md
const (
	exitFailed      = 1
	exitUsage       = 2
	exitConfig      = 3
	exitUnreachable = 4
	exitLogin       = 5
	exitDenied      = 6
	exitNotEnough   = 27 // as mosquitto
	exitInterrupted = 130
)

// exitError ends the command with a code. An empty text prints nothing.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// failed wraps an error of a client: what, why and, where there is one, the next step. OPERATIONS X1
func failed(target string, err error) error {
	var have *exitError
	if errors.As(err, &have) {
		return have
	}
	e := &exitError{code: exitFailed, text: target + ": " + err.Error()}
	switch dial.KindOf(err) {
	case dial.Usage:
		e.code = exitUsage
	case dial.Unreachable:
		e.code = exitUnreachable
		e.text += ". Is the gateway running there? Try: entrepot serve"
	case dial.Untrusted:
		e.code = exitUnreachable
		e.text += ". Try: --cafile FILE with the server's authority, and --cert FILE --key FILE where the server asks for them"
	case dial.Login:
		e.code = exitLogin
		e.text += ". Try: --user NAME --password-file FILE"
	case dial.Denied:
		e.code = exitDenied
	}
	return e
}

// exitOf turns what a command returned into the process's exit code and its last words.
func exitOf(err error) (code int, text string) {
	var e *exitError
	switch {
	case err == nil:
		return 0, ""
	case errors.Is(err, syscall.EPIPE): // whoever read stdout has had enough. OPERATIONS X4
		return 0, ""
	case errors.As(err, &e):
		return e.code, e.text
	case errors.Is(err, context.Canceled):
		return exitInterrupted, ""
	}
	return exitUsage, err.Error() + ". Try: entrepot --help" // cobra's own errors are about flags and arguments
}
