package core

import (
	"cmp"
	"log/slog"
	"sync"
	"sync/atomic"
)

// DefaultNamespace is the namespace of principals that name none.
const DefaultNamespace = "default"

// queuePrefix begins the topics that name a queue.
const queuePrefix = "$queue/"

// Anonymous is the principal of everybody while nobody has to log in. Its
// client identifiers are shared among all anonymous clients.
var Anonymous = &Principal{Namespace: DefaultNamespace, User: "anonymous", Roles: []string{"anonymous"}, Method: "anonymous"}

// Options of a router. Zero values mean the defaults named.
type Options struct {
	Store      Store        // required; internal/store/memory keeps nothing over a restart
	Clock      *Clock       // default: a new one
	Log        *slog.Logger // default: discards
	Limits     Limits
	Tenants    map[string]Tenant // namespaces that have more than Limits; CheckTenants has let them pass
	Authorizer Authorizer        // default: everything is allowed; Recheck says that its rules have changed
	Hook       PublishHook       // default: none
	Observer   Observer          // default: none
	// Forget writes nothing to Store but notes: for one that no later router will
	// read.
	Forget bool

	paging paging // zero: the constants
}

// Limits bound what a namespace may hold. Zero fields mean the default.
type Limits struct {
	Sessions          int   // stored and connected sessions a namespace; default 1,000,000
	PrincipalSessions int   // sessions of one principal that outlive their connections; not of the anonymous one; default 10,000
	Subscriptions     int   // filters a session; default 10,000
	SubscriptionBytes int   // their text; default 4 MiB
	Retained          int   // retained messages a namespace; default 1,000,000
	PrincipalRetained int   // of one principal, not of the anonymous one; default 100,000
	RetainedBytes     int64 // their sum; default 1 GiB
	Queues            int   // named queues a namespace; default 10,000
	Bindings          int   // filters a named queue; default 1000
	QueueMessages     int   // messages a queue; default 1,000,000
	QueueBytes        int64 // their sum; default 1 GiB
	WindowMessages    int   // of a durable queue, how many wait in memory; the rest is in the store; default 256
	WindowBytes       int64 // their sum; default 1 MiB
	TopicBytes        int   // default 65535
	TopicLevels       int   // default 128
	SessionExpiryMS   int64 // longest session expiry in milliseconds; default 7 days
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set64 := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.Sessions, 1_000_000)
	set(&l.PrincipalSessions, 10_000)
	set(&l.PrincipalRetained, 100_000)
	set(&l.Subscriptions, 10_000)
	set(&l.SubscriptionBytes, 4<<20)
	set(&l.Retained, 1_000_000)
	set64(&l.RetainedBytes, 1<<30)
	set(&l.Queues, 10_000)
	set(&l.Bindings, 1000)
	set(&l.QueueMessages, 1_000_000)
	set64(&l.QueueBytes, 1<<30)
	set(&l.WindowMessages, 256)
	set64(&l.WindowBytes, 1<<20)
	set(&l.TopicBytes, 65535)
	set(&l.TopicLevels, 128)
	set64(&l.SessionExpiryMS, 7*24*3600*1000)
	return l
}

// Router joins publishers to queues. It is safe for concurrent use.
type Router struct {
	// Immutable.
	clock    *Clock
	store    Store
	log      *slog.Logger
	bounds   atomic.Pointer[Limits] // but for SetLimits
	auth     Authorizer
	freer    Freer   // auth, if it is one
	limiter  Limiter // the same
	sparing  Sparing // the log's handler, if it is one
	hook     PublishHook
	observer Observer
	commit   *committer
	timers   *timers
	pager    *pager
	paging   paging
	volatile bool // the store keeps nothing: there is no use in reading it back
	forgets  bool // nothing but notes is written
	notes    notes
	specs    specs
	ages     ages
	agreeing agreeing
	orphans  uint64 // records that the start removed; immutable after it

	open     atomic.Bool   // nothing is asked of auth
	metered  atomic.Bool   // somebody has a rate
	policy   atomic.Uint64 // the generation of the rules, from 1
	routes   atomic.Uint64 // what a publisher found under another value is looked up again
	rechecks rechecks

	protocols protocols
	lastID    atomic.Uint64 // sessions, queues and shared messages are numbered from it
	failed    atomic.Bool   // the store cannot write, and never will
	outage    atomic.Uint32 // Reason for which it cannot write for now; OK: it can
	stopping  atomic.Bool
	pressure  atomic.Uint32 // Pressure, in bits
	dropped   [dropCauses]atomic.Uint64
	takeover  atomic.Uint64
	expired   atomic.Uint64
	missing   atomic.Uint64 // entries that were counted, and were not in the store when they were read
	wills     sync.Map      // origin -> *WillCounts

	mu          sync.RWMutex
	undertakers map[string]Undertaker
	overlong    map[string][]*Queue // by room: named queues that wait for it to get dead letters; of the start
	namespaces  map[string]*Namespace
	tenants     map[string]Tenant
}

// New loads what the store holds and starts the router's two goroutines: the
// commit loop and the timers. Close ends them.
func New(o Options) (*Router, error) {
	if o.Clock == nil {
		o.Clock = NewClock()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Router{
		clock: o.Clock, store: o.Store, log: o.Log,
		auth: o.Authorizer, hook: o.Hook, observer: o.Observer, namespaces: map[string]*Namespace{},
		tenants: o.Tenants,
	}
	r.SetLimits(o.Limits)
	r.paging = paging{cmp.Or(o.paging.burst, burst), cmp.Or(o.paging.span, segmentSpan), cmp.Or(o.paging.slice, clearSlice), cmp.Or(o.paging.every, clearEvery), cmp.Or(o.paging.rest, restMessages)}
	r.freer, _ = o.Authorizer.(Freer)
	r.sparing, _ = o.Log.Handler().(Sparing)
	r.limiter, _ = o.Authorizer.(Limiter)
	r.open.Store(isOpen(o.Authorizer))
	r.policy.Store(1)
	if x, ok := o.Store.(Outage); ok {
		x.OnOutage(func(why Reason) { r.outage.Store(uint32(why)) })
	}
	r.commit = newCommitter(r)
	r.timers = newTimers(r)
	r.pager = newPager(r)
	r.forgets = o.Forget
	if v, ok := o.Store.(Volatile); ok || o.Forget {
		r.volatile = o.Forget || v.Volatile()
	}
	if err := r.beginTime(); err != nil {
		return nil, err
	}
	if err := r.load(); err != nil {
		return nil, err
	}
	r.SetTenants(o.Tenants)
	r.commit.start()
	r.timers.start()
	r.pager.start()
	return r, nil
}

// SetLimits makes other limits hold from now on. What there is already stays,
// also where it is more.
func (r *Router) SetLimits(l Limits) {
	l = l.withDefaults()
	r.bounds.Store(&l)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ns := range r.namespaces {
		ns.settle()
	}
}

func (r *Router) limits() *Limits { return r.bounds.Load() }

// Clock is the router's clock.
func (r *Router) Clock() *Clock { return r.clock }

// Stop says that the gateway is stopping: from now on the end of a connection
// publishes no will; those of durable sessions are kept.
func (r *Router) Stop() { r.stopping.Store(true) }

// Stopping reports whether Stop was called.
func (r *Router) Stopping() bool { return r.stopping.Load() }

// Close writes what was submitted and ends the router's goroutines. No turn
// may be under way. The store stays open.
func (r *Router) Close() {
	r.Stop()
	r.rechecks.stop()
	r.timers.stop()
	r.pager.stop()
	t := r.NewTurn(nil)
	r.noteTime(t)
	t.End()
	r.commit.stop()
}

// StoreFailed tells that the store cannot write, and not for want of space: so
// that everything that asks for durability is refused.
func (r *Router) StoreFailed() bool { return r.unwritable() == Unavailable }

// unwritable is why clients are refused what would be stored: the store has
// failed for good, or cannot write for now. What is on its way then waits.
func (r *Router) unwritable() Reason {
	if r.failed.Load() {
		return Unavailable
	}
	return Reason(r.outage.Load())
}

func (r *Router) newID() uint64 { return r.lastID.Add(1) }
