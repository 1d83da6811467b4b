package listen

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

// shutdownTime bounds the flush and the farewells of Serve's end; what is
// left then is cut off.
const shutdownTime = 4 * time.Second

// Server holds the listeners and loops of one process. Make it with New, then
// Bind, then Serve.
type Server struct {
	// Immutable after New.
	options Options // Rooms and Listeners are those of the start
	router  *core.Router
	metrics *adapters.Metrics
	clock   *core.Clock
	gate    *limit.Gate
	spared  int // the first descriptor that no connection gets
	events  *events

	bounds atomic.Pointer[adapters.Limits]
	loops  []*loop
	ctx    context.Context // of the handshakes; ends when Serve stops
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine but the loops

	turnedAway atomic.Int32 // connections that are told that they are refused

	mu        sync.Mutex
	turn      int         // Guarded by mu: the loop that gets the next connection
	listeners []*listener // Guarded by mu: never changed, but replaced
	redirects bool        // Guarded by mu: newcomers are sent elsewhere

	changing sync.Mutex // held while listeners come and go
	stopped  bool       // Guarded by changing.
}

// limits are those of now.
func (s *Server) limits() *adapters.Limits { return s.bounds.Load() }

// New makes a server. It binds nothing yet; errors are those of the URLs and
// certificates.
func New(o Options) (*Server, error) {
	s := &Server{options: o, router: o.Host.Router, metrics: o.Host.Metrics, clock: o.Host.Router.Clock()}
	if s.metrics == nil {
		s.metrics = adapters.NewMetrics()
	}
	s.bounds.Store(boundsOf(o.Host.Limits))
	s.spared = firstSpared()
	s.gate = limit.NewGate(*s.limits())
	s.gate.SetDescriptors(maxConnections())
	s.events = newEvents(o.Host.Log, !o.Quiet)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var errs []error
	for _, cfg := range o.Listeners {
		l, err := newListener(s, cfg, o.Rooms)
		errs = append(errs, err)
		s.listeners = append(s.listeners, l)
	}
	return s, errors.Join(errs...)
}

// boundsOf are limits with their defaults.
func boundsOf(l adapters.Limits) *adapters.Limits {
	l = l.WithDefaults()
	return &l
}

// Bind takes all addresses, or none and says why not: *BindError. Nothing is
// accepted before Serve; peers that connect wait in the kernel.
func (s *Server) Bind() error {
	for i, l := range s.listeners {
		if err := l.bind(); err != nil {
			for _, done := range s.listeners[:i] {
				done.close()
			}
			return err
		}
	}
	return nil
}

// list are the listeners of now.
func (s *Server) list() []*listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listeners
}

// Addr is one bound address.
type Addr struct {
	URL      string // as configured, with the port that was bound
	Protocol string // name of the room; "" for WebSocket, which serves several
	net.Addr
}

// Addrs are the bound addresses, in the order of the options.
func (s *Server) Addrs() []Addr { return addrsOf(s.list()) }

func addrsOf(list []*listener) (all []Addr) {
	for _, l := range list {
		a := Addr{URL: l.name, Addr: l.addr}
		if r := l.terms.Load().room; r != nil {
			a.Protocol = r.Name()
		}
		all = append(all, a)
	}
	return all
}

// Connections is the number of open stream connections, and of those without
// login.
func (s *Server) Connections() (all, unauthenticated int) { return s.gate.Open() }

// Responsive waits until every loop has finished a pass, or ctx ends: false.
// Before and after Serve it is true.
func (s *Server) Responsive(ctx context.Context) bool {
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	answers := make(chan struct{}, len(loops))
	for _, l := range loops {
		if !l.call(func(*loop) { answers <- struct{}{} }) {
			answers <- struct{}{}
		}
	}
	for range loops {
		select {
		case <-answers:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Serve accepts until ctx ends, then moves and says goodbye to everybody, and returns
// when every connection is closed and every goroutine has ended: at most five
// seconds later. It is called once, after Bind.
func (s *Server) Serve(ctx context.Context) error {
	loops, err := s.start()
	if err != nil {
		return err
	}
	<-ctx.Done()
	s.stop(loops)
	return nil
}

func (s *Server) start() (loops *sync.WaitGroup, err error) {
	for range s.loopCount() {
		l, err := newLoop(s)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.loops = append(s.loops, l)
		s.mu.Unlock()
	}
	loops = new(sync.WaitGroup)
	for _, l := range s.loops {
		loops.Go(l.run)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, l := range s.listeners {
		l.serve()
	}
	return loops, nil
}

// loopCount leaves a processor to the commits, logins and collections, when
// there is one: a loop that is busy does not give its own up.
func (s *Server) loopCount() int {
	if s.options.Loops > 0 {
		return s.options.Loops
	}
	return max(1, runtime.GOMAXPROCS(0)-1)
}

// pick is the loop for the next connection or endpoint.
func (s *Server) pick() *loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	return s.loops[s.turn%len(s.loops)]
}

// stop ends what start began. Rooms that know another server go on answering
// newcomers while their clients are moved there.
func (s *Server) stop(loops *sync.WaitGroup) {
	timer := time.NewTimer(shutdownTime)
	defer timer.Stop()
	s.changing.Lock()
	s.stopped = true
	rooms := s.redirect(true)
	s.closeListeners(func(l *listener) bool { return !l.serves(rooms) })
	if len(rooms) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		s.drain(ctx, rooms)
		cancel()
		s.closeListeners(func(l *listener) bool { return l.serves(rooms) })
	}
	s.changing.Unlock()
	s.cancel()
	for _, l := range s.loops {
		l.call(func(l *loop) { l.evictAll(rooms) })
	}
	ended := make(chan struct{})
	go func() {
		loops.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-timer.C:
		for _, l := range s.loops {
			l.call((*loop).cutAll)
		}
		<-ended
	}
	s.wg.Wait()
}

func (s *Server) closeListeners(which func(*listener) bool) {
	for _, l := range s.listeners {
		if which(l) {
			l.close()
		}
	}
}

// evictAll says goodbye to the loop's connections; those that are yet to come
// are evicted when they do.
func (l *loop) evictAll(rooms []*drained) {
	l.stopping = true
	for _, s := range l.streams.at {
		if s != nil {
			s.Evict(s.farewell(rooms))
		}
	}
}

// cutAll ends what did not take its farewell.
func (l *loop) cutAll() {
	for _, s := range l.streams.at {
		if s != nil {
			s.gone(core.ShuttingDown)
		}
	}
}
