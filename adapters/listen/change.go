package listen

import (
	"errors"
	"net"
	"slices"
	"time"

	"github.com/entrepot/entrepot/core"
)

// Change is another set of listeners, whose addresses are bound and which is
// not served yet. End it by Commit or Abort.
type Change struct {
	s     *Server
	o     Options
	next  []*listener // in the order of the options
	fresh []*listener // of them, those that are new
	kept  map[*listener]*terms
	gone  []*listener
	moved []*listener // of gone, those that gave their port to a new one
}

// Prepare takes what o adds to the listeners of now: its Listeners, Rooms,
// Quiet, and the limits of its Host. A listener stays if its URL stays. If an
// address cannot be bound nothing has changed: *BindError. Until Commit or
// Abort no other change can be prepared.
//
// An address that a listener holds which is to go is bound at last, and that
// one is closed before: for this moment connections to it are refused.
func (s *Server) Prepare(o Options) (*Change, error) {
	s.changing.Lock()
	c := &Change{s: s, o: o, kept: map[*listener]*terms{}, gone: slices.Clone(s.listeners)}
	if err := c.prepare(); err != nil {
		c.Abort()
		return nil, err
	}
	return c, nil
}

func (c *Change) prepare() error {
	if c.s.stopped {
		return errors.New("the server stops")
	}
	var errs []error
	for _, cfg := range c.o.Listeners {
		l, err := newListener(c.s, cfg, c.o.Rooms)
		if errs = append(errs, err); err != nil {
			continue
		}
		if l.network == "unix" && cfg.Group != "" {
			_, err := groupID(cfg.Group)
			errs = append(errs, err)
		}
		if old := c.match(l); old != nil {
			c.kept[old], l = l.terms.Load(), old
		} else {
			c.fresh = append(c.fresh, l)
		}
		c.next = append(c.next, l)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return c.bind()
}

// match takes the listener of the same URL out of those that go.
func (c *Change) match(l *listener) *listener {
	i := slices.IndexFunc(c.gone, func(old *listener) bool {
		return (old.key == l.key || old.name == l.name) && old.network == l.network
	})
	if i < 0 {
		return nil
	}
	old := c.gone[i]
	c.gone = slices.Delete(c.gone, i, i+1)
	return old
}

// bind takes the new addresses; those that we hold ourselves come last.
func (c *Change) bind() error {
	var held []*listener
	for _, l := range c.fresh {
		err := l.bind()
		var be *BindError
		switch {
		case err == nil:
		case errors.As(err, &be) && be.InUse() && slices.ContainsFunc(c.gone, l.overlaps):
			held = append(held, l)
		default:
			return err
		}
	}
	for _, l := range held {
		if err := l.reachable(); err != nil {
			return err
		}
	}
	for _, l := range held {
		for _, old := range c.gone {
			if l.overlaps(old) && !slices.Contains(c.moved, old) {
				old.close()
				c.moved = append(c.moved, old)
			}
		}
		if err := l.bind(); err != nil {
			return err
		}
	}
	return nil
}

// overlaps reports whether another listener may hold what this one binds.
func (l *listener) overlaps(other *listener) bool {
	if l.network != other.network {
		return false
	}
	if l.network == "unix" {
		return l.target.addr == other.target.addr
	}
	_, mine, _ := net.SplitHostPort(l.target.addr)
	_, theirs, _ := net.SplitHostPort(other.addr.String())
	return mine == theirs
}

// reachable reports whether the listener's host can be bound at all.
func (l *listener) reachable() error {
	host, _, _ := net.SplitHostPort(l.target.addr)
	free := net.JoinHostPort(host, "0")
	var err error
	switch l.network {
	case "tcp":
		var ln net.Listener
		if ln, err = net.Listen("tcp", free); err == nil {
			return ln.Close()
		}
	case "udp":
		var pc net.PacketConn
		if pc, err = net.ListenPacket("udp", free); err == nil {
			return pc.Close()
		}
	default:
		return nil
	}
	return &BindError{URL: l.name, Err: err}
}

// Addrs are the addresses of the change, in the order of its options.
func (c *Change) Addrs() []Addr { return addrsOf(c.next) }

// Abort gives back what Prepare took.
func (c *Change) Abort() {
	defer c.s.changing.Unlock()
	for _, l := range c.fresh {
		l.close()
	}
	for _, l := range c.moved {
		if err := l.reopen(); err != nil {
			c.s.events.log.Error("listener.lost", "listener", l.name, "reason", err.Error())
		}
	}
}

// reopen takes the address again that close gave up.
func (l *listener) reopen() error {
	l.mu.Lock()
	l.closed = false
	l.mu.Unlock()
	l.raw, l.http, l.tcp, l.udp, l.endpoint = nil, nil, nil, nil, nil
	if err := l.bind(); err != nil {
		return err
	}
	l.serve()
	return nil
}

// Commit serves the change: new listeners accept, those that go no longer do,
// and the others have other terms for who comes next. Connections stay as they
// are; those of a listener that goes are told to leave after drain (negative:
// never). Peers of a datagram listener that goes are told at once.
func (c *Change) Commit(drain time.Duration) {
	s := c.s
	defer s.changing.Unlock()
	bounds := boundsOf(c.o.Host.Limits)
	s.bounds.Store(bounds)
	s.gate.SetLimits(*bounds)
	s.events.connections.Store(!c.o.Quiet)
	for l, now := range c.kept {
		l.change(now)
	}
	for _, l := range c.fresh {
		l.serve() // the server has not stopped: that would wait for us
	}
	s.mu.Lock()
	s.listeners = c.next
	redirects := s.redirects
	s.mu.Unlock()
	if redirects {
		s.redirect(true) // the new rooms too
	}
	for _, l := range c.gone {
		if !slices.Contains(c.moved, l) {
			l.close()
		}
		s.drainOf(l, drain)
	}
}

// change gives the listener other terms.
func (l *listener) change(now *terms) {
	old := l.terms.Swap(now)
	switch {
	case l.endpoint != nil && old.room != now.room:
		e := l.endpoint
		e.loop.call(func(*loop) { e.reconfigure(now.room) })
	case l.network == "unix" && (old.Mode != now.Mode || old.Group != now.Group):
		if err := l.shareSocket(l.target.addr); err != nil {
			l.server.events.log.Warn("config.warning", "listener", l.name, "reason", err.Error())
		}
	case l.kind == kindStream && !l.secure && (old.Proxies == nil) != (now.Proxies == nil):
		l.reaccept()
	}
}

// reaccept serves the same socket in the way that the terms ask for: a
// connection with a PROXY header is read before it joins an epoll.
func (l *listener) reaccept() {
	if l.raw != nil {
		ln, err := l.raw.handBack()
		if err != nil {
			l.server.events.log.Error("listener.lost", "listener", l.name, "reason", err.Error())
			return
		}
		l.tcp, l.raw = ln, nil
	}
	l.serve() // the goroutine that accepts ends when the socket is detached from it
}

// drainOf waits for the connections of a listener that has closed, and tells
// them to leave in the end.
func (s *Server) drainOf(l *listener, after time.Duration) {
	if after < 0 || l.kind == kindDatagram {
		return
	}
	s.wg.Go(func() {
		left := make(chan bool, 1)
		until := time.NewTimer(after)
		defer until.Stop()
		look := time.NewTicker(time.Second)
		defer look.Stop()
		for {
			select {
			case <-s.ctx.Done():
				return
			case <-until.C:
				s.evictOf(l)
				return
			case <-look.C:
				if s.has(l, left) {
					continue
				}
				return
			}
		}
	})
}

// evictOf says goodbye to the connections of a listener.
func (s *Server) evictOf(l *listener) {
	for _, lp := range s.loops {
		lp.call(func(lp *loop) {
			lp.eachOf(l, func(st *stream) { st.Evict(core.ShuttingDown) })
		})
	}
}

// has reports whether a listener has connections.
func (s *Server) has(l *listener, answer chan bool) (any bool) {
	for _, lp := range s.loops {
		asked := lp.call(func(lp *loop) {
			found := false
			lp.eachOf(l, func(*stream) { found = true })
			answer <- found
		})
		if asked && <-answer {
			return true
		}
	}
	return false
}

// eachOf calls f for each stream of a listener.
func (l *loop) eachOf(of *listener, f func(*stream)) {
	for _, s := range l.streams.at {
		if s != nil && s.counts.of == of {
			f(s)
		}
	}
}

// A State is a listener as it is, for a dump.
type State struct {
	URL         string
	Protocol    string
	Accepting   bool
	Connections int // streams; -1 for datagrams
}

// States are the listeners and what they hold.
func (s *Server) States() []State {
	list := s.list()
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	counts := map[*listener]int{}
	answer := make(chan struct{})
	for _, lp := range loops {
		asked := lp.call(func(lp *loop) {
			for _, st := range lp.streams.at {
				if st != nil {
					counts[st.counts.of]++
				}
			}
			answer <- struct{}{}
		})
		if asked {
			<-answer
		}
	}
	var all []State
	for _, l := range list {
		st := State{URL: l.name, Accepting: !l.isClosed(), Connections: counts[l], Protocol: "ws"}
		if r := l.terms.Load().room; r != nil {
			st.Protocol = r.Name()
		}
		if l.kind == kindDatagram {
			st.Connections = -1
		}
		all = append(all, st)
	}
	return all
}
