package limit

import (
	"cmp"
	"sync"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// TakeoverRate is how often a session is taken over in a second, after as many
// at once: two clients that share an identifier by mistake and come back at
// once would otherwise keep the gateway busy with nothing but each other
// (SECURITY F3).
const TakeoverRate = 10

// Takeovers makes connections wait that would take sessions over more often.
// The one that has come last waits for its turn; the one that waited before is
// refused. A session that nobody holds is not waited for. The zero value is
// ready; it is safe for concurrent use.
type Takeovers struct {
	mu    sync.Mutex
	ids   map[takeoverKey]*turns // Guarded by mu: taken over of late, and who waits.
	sweep int                    // Guarded by mu: forget what is over at so many.
}

var _ adapters.Takeovers = (*Takeovers)(nil)

// TakeoversOf is what the rooms of a host share; a room whose host has none
// gets its own.
func TakeoversOf(h *adapters.Host) adapters.Takeovers {
	if h.Takeovers != nil {
		return h.Takeovers
	}
	return new(Takeovers)
}

type takeoverKey struct{ namespace, user, client string }

// turns are the takeovers of one session.
type turns struct {
	rate Bucket
	next core.Sink // waits; nil: nobody
}

func keyOf(c *core.Client) takeoverKey {
	p := c.Principal
	if p == nil {
		p = core.Anonymous
	}
	return takeoverKey{cmp.Or(p.Namespace, core.DefaultNamespace), p.User, c.ID}
}

// Ask tells when a connection may attach, 0 being now, and who has waited in
// vain. held is whether another one holds the session.
func (x *Takeovers) Ask(now core.Time, c *core.Client, s core.Sink, held bool) (at core.Time, displaced core.Sink) {
	k := keyOf(c)
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.ids[k]
	if e == nil && !held {
		return 0, nil
	}
	if e == nil {
		e = x.enter(now, k)
	}
	displaced, e.next = e.next, nil
	if !held || e.rate.Take(now, 1, TakeoverRate, TakeoverRate) {
		return 0, displaced
	}
	e.next = s
	return e.rate.Wait(now, TakeoverRate, TakeoverRate), displaced
}

// Allow tells whether a connection may attach now, for one that does not wait
// but is refused. held is whether another one holds the session.
func (x *Takeovers) Allow(now core.Time, c *core.Client, held bool) bool {
	if !held {
		return true
	}
	k := keyOf(c)
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.ids[k]
	if e == nil {
		e = x.enter(now, k)
	}
	return e.rate.Take(now, 1, TakeoverRate, TakeoverRate)
}

// enter adds a session. Those that have been left alone for a second are
// forgotten when there are twice as many as the last time.
func (x *Takeovers) enter(now core.Time, k takeoverKey) *turns {
	if len(x.ids) >= x.sweep {
		for k, e := range x.ids {
			if e.next == nil && e.rate.Full(now, TakeoverRate) {
				delete(x.ids, k)
			}
		}
		x.sweep = max(64, 2*len(x.ids))
	}
	if x.ids == nil {
		x.ids = map[takeoverKey]*turns{}
	}
	e := &turns{}
	x.ids[k] = e
	return e
}

// Begin is the turn of a connection that waited.
func (x *Takeovers) Begin(now core.Time, c *core.Client, s core.Sink) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.ids[keyOf(c)]; e != nil && e.next == s {
		e.next = nil
		e.rate.Take(now, 1, TakeoverRate, TakeoverRate)
	}
}

// GiveUp is the end of a connection that waits.
func (x *Takeovers) GiveUp(c *core.Client, s core.Sink) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.ids[keyOf(c)]; e != nil && e.next == s {
		e.next = nil
	}
}

// Waiting tells how many sessions are remembered, and for how many of them
// somebody waits.
func (x *Takeovers) Waiting() (remembered, waiting int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.ids {
		if e.next != nil {
			waiting++
		}
	}
	return len(x.ids), waiting
}
