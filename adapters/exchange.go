package adapters

import (
	"context"
	"runtime/debug"
	"slices"

	"github.com/entrepot/entrepot/core"
)

// Exchanger is an Authenticator that also knows logins of several steps: AUTH
// of MQTT 5, SASL. It is optional; an Authenticator that is none offers no
// method.
type Exchanger interface {
	Authenticator
	// Methods names what is offered to a peer that has shown c, preferred
	// first: a listener may offer fewer than another. It must not block.
	Methods(c Credentials) []string
	// Begin opens the server's side of one of these methods. It must not block.
	Begin(method string, c Credentials) Conversation
}

// Conversation is the server's side of one login by one method. Its calls do
// not overlap.
type Conversation interface {
	// Step weighs what the peer sent; nil: it named the method and sent
	// nothing. It may take its time, until ctx ends: it is called on a
	// goroutine of its own. data is its to keep.
	Step(ctx context.Context, data []byte) Answer
}

// Answer is what a step came to: a refusal when Reason is not OK, the end when
// there is a Principal, else a challenge.
type Answer struct {
	Reason    core.Reason
	Principal *core.Principal
	Data      []byte // challenge, or last word of a success; nil: none
}

// maxRounds bounds the steps of one exchange, whatever its method.
const maxRounds = 10

// Exchange is a login of several steps under way. It belongs to the goroutine
// that drives the connection. A room must End it with the connection.
type Exchange struct {
	host   *Host
	conv   Conversation
	shown  Credentials
	sink   core.Sink
	ctx    context.Context // of the exchange, which is a request in several calls
	cancel context.CancelFunc
	answer chan Answer

	rounds  int
	running bool
}

// Methods names what is offered to a peer that has shown c, preferred first.
func (h *Host) Methods(c Credentials) []string {
	if e, ok := h.Auth.(Exchanger); ok {
		return e.Methods(c)
	}
	return nil
}

// Exchange opens a login by the method and takes its first step with what the
// peer sent along, nil when that was nothing. It has Limits.PreauthExchange
// from now; a room that waits for the peer watches that time itself. nil when
// the method is not offered.
func (h *Host) Exchange(method string, c Credentials, first []byte, sink core.Sink) *Exchange {
	e, ok := h.Auth.(Exchanger)
	if !ok || !slices.Contains(e.Methods(c), method) {
		return nil
	}
	conv := e.Begin(method, c)
	if conv == nil {
		return nil
	}
	x := &Exchange{host: h, conv: conv, shown: c, sink: sink, answer: make(chan Answer, 1)}
	x.ctx, x.cancel = context.WithTimeout(context.Background(), h.Limits.WithDefaults().PreauthExchange)
	x.Step(first)
	return x
}

// Step hands over what the peer sent, which it copies; sink.Ready is called
// when Result has the answer. It may be called after a challenge only.
func (x *Exchange) Step(data []byte) {
	if data != nil {
		data = append([]byte{}, data...)
	}
	x.running = true
	x.rounds++
	round := x.rounds
	go func() {
		x.answer <- x.weigh(round, data)
		x.sink.Ready(nil)
	}()
}

// Running tells that a step is under way, and that no other may be taken.
func (x *Exchange) Running() bool { return x.running }

// Result is the answer to the last Step, once: done is false while the step
// is under way and after the answer has been fetched.
func (x *Exchange) Result() (a Answer, done bool) {
	select {
	case a = <-x.answer:
		if x.running = false; a.Reason != core.OK || a.Principal != nil {
			x.cancel()
		}
		return a, true
	default:
		return Answer{}, false
	}
}

// End gives the exchange up. A step under way is told by its context.
func (x *Exchange) End() { x.cancel() }

// weigh is a step within its bounds. Whatever goes wrong refuses.
func (x *Exchange) weigh(round int, data []byte) (a Answer) {
	defer func() {
		if p := recover(); p != nil {
			a = Answer{Reason: core.Internal}
			x.host.Metrics.Counter("panics_recovered_total", x.shown.Protocol).Add(1)
			x.host.Log.Error("panic.recovered", "protocol", x.shown.Protocol, "stack", string(debug.Stack())) // not p: it may hold a secret
		}
	}()
	switch limits := x.host.Limits.WithDefaults(); {
	case round > maxRounds:
		return Answer{Reason: core.ProtocolError}
	case len(data) > 2*limits.UsernameBytes+limits.PasswordBytes+2: // what PLAIN may carry
		return Answer{Reason: core.NotAuthenticated}
	}
	a = x.conv.Step(x.ctx, data)
	switch {
	case x.ctx.Err() != nil:
		return Answer{Reason: core.IdleTimeout}
	case a.Reason != core.OK:
		return Answer{Reason: a.Reason}
	case a.Principal != nil && x.shown.User != "" && x.shown.User != a.Principal.User:
		return Answer{Reason: core.NotAuthenticated} // U1: weaker evidence that names another user
	}
	return a
}
