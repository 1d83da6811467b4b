package mqtt

import (
	"sync"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

// takeoverRate is how often a session is taken over in a second, after as many
// at once: two clients that share an identifier by mistake and come back at
// once would otherwise keep the gateway busy with nothing but each other. MT4
const takeoverRate = 10

// takeovers makes connections wait that would take sessions over more often.
// The one that has come last waits for its turn; the one that waited before is
// refused. A session that nobody holds is not waited for.
type takeovers struct {
	mu    sync.Mutex
	ids   map[takeoverKey]*turns // Guarded by mu: taken over of late, and who waits.
	sweep int                    // Guarded by mu: forget what is over at so many.
}

type takeoverKey struct{ namespace, user, client string }

// turns are the takeovers of one session.
type turns struct {
	rate limit.Bucket
	next adapters.Handle // waits; nil: nobody
}

func keyOf(c *core.Client) takeoverKey {
	k := takeoverKey{client: c.ID}
	if p := c.Principal; p != nil {
		k.namespace, k.user = p.Namespace, p.User
	}
	return k
}

// ask tells when a connection may attach, 0 being now, and who has waited in
// vain. held is whether another one holds the session.
func (x *takeovers) ask(now core.Time, k takeoverKey, h adapters.Handle, held bool) (at core.Time, displaced adapters.Handle) {
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
	if !held || e.rate.Take(now, 1, takeoverRate, takeoverRate) {
		return 0, displaced
	}
	e.next = h
	return e.rate.Wait(now, takeoverRate, takeoverRate), displaced
}

// enter adds a session. Those that have been left alone for a second are
// forgotten when there are twice as many as the last time.
func (x *takeovers) enter(now core.Time, k takeoverKey) *turns {
	if len(x.ids) >= x.sweep {
		for k, e := range x.ids {
			if e.next == nil && e.rate.Full(now, takeoverRate) {
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

// begin is the turn of a connection that waited.
func (x *takeovers) begin(now core.Time, k takeoverKey, h adapters.Handle) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.ids[k]; e != nil && e.next == h {
		e.next = nil
		e.rate.Take(now, 1, takeoverRate, takeoverRate)
	}
}

// giveUp is the end of a connection that waits.
func (x *takeovers) giveUp(k takeoverKey, h adapters.Handle) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.ids[k]; e != nil && e.next == h {
		e.next = nil
	}
}

// queue claims the session now, or when its turn has come. MT4
func (c *conn) queue(t *core.Turn, out *adapters.Output) {
	o := c.opening
	at, displaced := c.room.takeovers.ask(t.Now, keyOf(&o.client), c.handle, c.room.host.Router.Holds(o.client))
	if displaced != nil {
		displaced.Evict(core.RateExceeded)
	}
	if at == 0 {
		c.claim(t, out)
		return
	}
	c.room.count.takeoversDelayed.Add(1)
	c.phase, o.turn = awaitTurn, at
	c.handle.TickAt(at)
}

// pollTurn goes on when the turn has come.
func (c *conn) pollTurn(t *core.Turn, out *adapters.Output) {
	o := c.opening
	if t.Now < o.turn {
		c.handle.TickAt(o.turn)
		return
	}
	c.room.takeovers.begin(t.Now, keyOf(&o.client), c.handle)
	c.claim(t, out)
}
