package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/internal/admin"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/metrics"
	"github.com/entrepot/entrepot/internal/store/disk"
)

// adminListener is one http:// listener.
type adminListener struct {
	at      string // host:port as configured
	url     string // as bound
	socket  *net.TCPListener
	server  *admin.Server
	section config.Admin
	lease   *lease // of the server
}

// adminOptions are what a server of the section does.
func (g *Gateway) adminOptions(section config.Admin, l config.Listener) admin.Options {
	o := admin.Options{State: g, Timeout: section.Timeout, Log: g.log, AnyHost: !l.Address.Loopback(), Admit: g.admits(l.URL)}
	if s, ok := g.store.(interface{ Backup(io.Writer) error }); ok {
		o.Backup = func(w io.Writer) error {
			err := s.Backup(w)
			if errors.Is(err, disk.ErrBusy) {
				return admin.ErrBusy
			}
			return err
		}
	}
	if section.RabbitMQAPI {
		o.Connections = g.floor.shared.listers()
	}
	if section.Metrics {
		o.Metrics = metrics.Handler(metrics.New(g.metrics, g.build, g.state, g.certificates, g.decisions, g.overload), g.logins, g.syncs, g.deliveries)
	}
	return o
}

// bindAdmin takes the addresses of the http:// listeners, but for those that are held already.
func (g *Gateway) bindAdmin(s *settings, held []*adminListener) (all, fresh []*adminListener, err error) {
	held = slices.Clone(held)
	for _, l := range s.config.Listeners {
		if l.Address.Scheme.Protocol != "http" {
			continue
		}
		if i := slices.IndexFunc(held, func(a *adminListener) bool { return a.at == l.Address.HostPort() || a.url == l.Address.String() }); i >= 0 {
			old := *held[i] // another value: the old one may stay what it is
			held = slices.Delete(held, i, i+1)
			if old.section != s.config.Admin {
				old.server, old.section = admin.New(g.adminOptions(s.config.Admin, l)), s.config.Admin
			}
			all = append(all, &old)
			continue
		}
		ln, err := net.Listen("tcp", l.Address.HostPort())
		if err != nil {
			e := &listen.BindError{URL: l.URL, Err: err}
			if e.InUse() {
				e.Process, e.PID = listen.Holder("tcp", l.Address.HostPort())
			}
			return all, fresh, e
		}
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		a := &adminListener{at: l.Address.HostPort(), url: "http://" + net.JoinHostPort(l.Address.Host, port), socket: ln.(*net.TCPListener),
			server: admin.New(g.adminOptions(s.config.Admin, l)), section: s.config.Admin}
		all, fresh = append(all, a), append(fresh, a)
	}
	return all, fresh, nil
}

// serve serves the listener until its lease or the server ends.
func (a *adminListener) serve(failed chan<- error) {
	report(failed, a.server.Serve(a.lease))
}

// A lease is the use of a listening socket for a time: closing it keeps the socket, so that the next one goes on.
type lease struct {
	*net.TCPListener
	over  atomic.Bool
	ended chan struct{} // closed when nobody accepts by this lease any more
}

func newLease(l *net.TCPListener) *lease {
	_ = l.SetDeadline(time.Time{})
	return &lease{TCPListener: l, ended: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *lease) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err != nil && l.over.Load() {
		return nil, net.ErrClosed
	}
	return c, err
}

// Close ends the lease.
func (l *lease) Close() error {
	if l.over.CompareAndSwap(false, true) {
		return l.SetDeadline(time.Now())
	}
	return nil
}

// startAdmin begins to serve, on a goroutine of Run's.
func (g *Gateway) startAdmin(a *adminListener) {
	a.lease = newLease(a.socket)
	l := a.lease
	g.running.Go(func() {
		defer close(l.ended)
		a.serve(g.failed)
	})
}

// stopAdmin ends a server; requests under way have a second.
func stopAdmin(ctx context.Context, a *adminListener) error {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return a.server.Shutdown(end)
}

// swapAdmin serves what a reload has made of the http:// listeners.
func (g *Gateway) swapAdmin(next []*adminListener) {
	gone := slices.Clone(g.admin)
	for _, a := range next {
		i := slices.IndexFunc(gone, func(o *adminListener) bool { return o.socket == a.socket })
		switch {
		case i < 0:
			g.startAdmin(a)
		case gone[i].server != a.server:
			g.leaveAdmin(gone[i])
			g.startAdmin(a)
			fallthrough
		default:
			gone = slices.Delete(gone, i, i+1)
		}
	}
	for _, a := range gone {
		g.leaveAdmin(a)
		_ = a.socket.Close()
	}
	g.admin = next
}

// leaveAdmin ends a server without waiting for its requests: one of them may be what asked for it.
func (g *Gateway) leaveAdmin(a *adminListener) {
	g.running.Go(func() {
		if err := stopAdmin(context.Background(), a); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			g.log.Warn("config.warning", "listener", a.url, "reason", err.Error())
		}
	})
	<-a.lease.ended // Shutdown has ended it, which makes an end of Serve no failure
}
