package listen

import (
	"context"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const (
	drainEvery = 50 * time.Millisecond // between two slices
	drainTime  = 2 * time.Second       // of a stop that clients are moved gently
)

// drained is a room that a drain empties.
type drained struct {
	room   adapters.RedirectingRoom
	rate   float64 // connections a second
	tokens float64
}

// Drain asks the clients of every room that knows another server to go there:
// newcomers at once and from now on, those that are connected in slices at the
// room's rate. It returns when nobody is left that is to go: true, or when ctx
// or Serve ends: false. Undrain lets newcomers in again. It is safe to call
// from any goroutine while Serve runs.
func (s *Server) Drain(ctx context.Context) bool { return s.drain(ctx, s.redirect(true)) }

// Undrain ends a drain: newcomers are let in again.
func (s *Server) Undrain() { s.redirect(false) }

// redirect tells the rooms, and returns those that know another server.
func (s *Server) redirect(on bool) (rooms []*drained) {
	seen := map[adapters.RedirectingRoom]bool{}
	s.mu.Lock()
	s.redirects = on
	s.mu.Unlock()
	for _, l := range s.list() {
		for _, r := range l.redirecting() {
			if seen[r] {
				continue
			}
			seen[r] = true
			if rate := r.Redirect(on); rate > 0 {
				rooms = append(rooms, &drained{room: r, rate: float64(rate)})
			}
		}
	}
	return rooms
}

// redirecting are the rooms of the listener that may know another server.
func (l *listener) redirecting() (rooms []adapters.RedirectingRoom) {
	if l.kind != kindWebSocket {
		if r, ok := l.terms.Load().room.(adapters.RedirectingRoom); ok {
			rooms = append(rooms, r)
		}
		return rooms
	}
	for _, r := range l.terms.Load().Rooms {
		_, web := r.(adapters.WebSocketRoom)
		if r, ok := r.(adapters.RedirectingRoom); ok && web {
			rooms = append(rooms, r)
		}
	}
	return rooms
}

// serves reports whether the listener has one of the rooms.
func (l *listener) serves(rooms []*drained) bool {
	for _, r := range l.redirecting() {
		for _, d := range rooms {
			if d.room == r {
				return true
			}
		}
	}
	return false
}

func (s *Server) drain(ctx context.Context, rooms []*drained) bool {
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	last := time.Now().Add(-drainEvery) // the first slice goes at once
	for {
		now := time.Now()
		left := false
		for _, d := range rooms {
			left = s.slice(ctx, d, now.Sub(last)) || left
		}
		if !left {
			return ctx.Err() == nil
		}
		last = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		case <-s.ctx.Done():
			return false
		}
	}
}

// slice moves what the room's rate lets go after so much time; false: nobody
// is left.
func (s *Server) slice(ctx context.Context, d *drained, after time.Duration) (left bool) {
	d.tokens = min(d.tokens+d.rate*after.Seconds(), max(1, d.rate/4))
	for d.tokens >= 1 {
		moved := s.move(ctx, d.room, int(d.tokens))
		if moved == 0 {
			return false
		}
		d.tokens -= float64(moved)
	}
	return true
}

// move asks the loops, one after the other, to move so many; it waits for
// them, they wait for nobody.
func (s *Server) move(ctx context.Context, room adapters.RedirectingRoom, most int) (moved int) {
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	for _, l := range loops {
		answer := make(chan int, 1)
		if moved == most || !l.call(func(l *loop) { answer <- l.move(room, most-moved) }) {
			continue
		}
		select {
		case n := <-answer:
			moved += n
		case <-ctx.Done():
			return moved
		}
	}
	return moved
}

// move ends connections of the room, at most so many, going on where it
// stopped.
func (l *loop) move(room adapters.RedirectingRoom, most int) (moved int) {
	for range l.streams.at {
		if moved == most {
			break
		}
		l.moveAt = (l.moveAt + 1) % len(l.streams.at)
		if s := l.streams.at[l.moveAt]; s.moves(room) {
			s.evict(core.Moved)
			moved++
		}
	}
	return moved
}

func (s *stream) moves(room adapters.RedirectingRoom) bool {
	if s == nil || s.phase > open {
		return false
	}
	m, ok := s.conn.(adapters.Movable)
	return ok && m.Moves(room)
}

// farewell is the reason that a stop gives a connection: those whom the drain
// has not reached are told of the other server all the same.
func (s *stream) farewell(rooms []*drained) core.Reason {
	for _, d := range rooms {
		if s.moves(d.room) {
			return core.Moved
		}
	}
	return core.ShuttingDown
}
