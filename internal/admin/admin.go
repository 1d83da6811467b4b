// Package admin is the HTTP side for operators: health, readiness and metrics.
//
// It is defined by docs/operations.md. It listens on sockets of its own, never on a protocol's port, and an answer holds
// no secret, argument or environment.
package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	maxHeader = 8 << 10 // bytes of a request's header section
	maxBody   = 1 << 20 // bytes of a request's body
)

// State is what the endpoints report; cmd/entrepot implements it.
type State interface {
	// Alive returns nil while the gateway's loops answer. It must return when the context ends.
	Alive(ctx context.Context) error
	// Started tells whether the gateway has been ready once.
	Started() bool
	// Problems lists why the gateway is not ready: starting, stopping, listener, store. Empty means ready.
	Problems() []string
	// Details are lines for an operator, such as the listeners and their warnings.
	Details() []string
}

// Noting is an optional part of a State.
type Noting interface {
	// Notes are lines of the answer of /readyz that make nothing unready, such as overload.
	Notes() []string
}

// Options set up a [Server].
type Options struct {
	State State
	// Metrics answers /metrics; nil for none.
	Metrics http.Handler
	// AnyHost turns the check of the Host header off, for a listener that others may reach. The check keeps a web page
	// that points its own name at 127.0.0.1 from reading the answers. OPERATIONS H1
	AnyHost bool
	// Admit decides whether who asks may go so far; nil: everybody may.
	Admit func(*http.Request, Level) Verdict
	// Backup writes the store to w; ErrBusy if another backup is being made. nil: there is no store.
	Backup func(w io.Writer) error
	// Connections answers /api/connections in RabbitMQ's form; nil for none.
	Connections Connections
	// Timeout bounds one request, or one step of an answer that streams; default 10 s.
	Timeout time.Duration
	Log     *slog.Logger
}

func (o *Options) defaults() {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// A Server serves one listener.
type Server struct{ http http.Server }

// New makes a server.
func New(o Options) *Server {
	o.defaults()
	return &Server{http.Server{
		Handler:           Handler(o),
		ReadHeaderTimeout: min(5*time.Second, o.Timeout),
		ReadTimeout:       o.Timeout,
		WriteTimeout:      o.Timeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}}
}

// Serve answers requests until Shutdown; it closes l. The error is nil after Shutdown.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown ends Serve and waits for requests under way, until the context ends; then they are cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}
