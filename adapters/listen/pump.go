package listen

import (
	"errors"
	"sync"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// carrier is a connection that has to be read and written by goroutines: TLS,
// WebSocket, or any where there is no epoll.
type carrier interface {
	// next waits for bytes. They are valid until the next call. Bytes and an
	// error may come together.
	next() ([]byte, error)
	// write sends all of b.
	write(b []byte) error
	// finish half-closes in the transport's own words, and lets reads go on
	// until the deadline.
	finish(r core.Reason, deadline time.Time)
	// loggingIn ends what the carrier bounds before the login.
	loggingIn()
	// close ends reads and writes that are under way.
	close()
}

// pump is a stream on a carrier. A goroutine reads, hands each chunk to the
// loop and waits until it was consumed; another one lives while something
// waits to be written.
type pump struct {
	stream
	car    carrier       // Immutable.
	from   *arrival      // Immutable.
	resume chan struct{} // Immutable; a token lets the reader go on, closed by release

	evictAt core.Time   // Owned by the loop: when a takeover takes effect at the latest; 0: there is none
	chunk   []byte      // the loop's from post(bitChunk) to the token
	ending  core.Reason // the loop's from post(bitEnd)
	broken  error       // the loop's from post(bitEnd): TLS failed
	owed    bool        // Owned by the loop: the reader waits for a token

	mu     sync.Mutex // guards what follows
	pend   []byte     // to be written
	busy   int        // bytes that the writer has taken
	writer bool       // the writer runs
	err    error      // of a write
	last   bool       // half-close when all is written
	over   bool       // released
}

// runPump opens the stream on its loop and reads until the carrier ends. The
// gate has admitted the connection.
func (l *listener) runPump(car carrier, a *arrival, counts *counters, info adapters.Info, room adapters.StreamRoom) {
	p := &pump{car: car, from: a, resume: make(chan struct{}, 1)}
	p.counts, p.own = counts, p
	a.caughtUp = func() { p.post(bitCaughtUp) }
	target := l.server.pick()
	p.loop = target
	if !target.call(func(*loop) { p.start(info, room, a.since) }) {
		l.unadmit(info.Remote.Addr())
		car.close()
		return
	}
	for {
		b, err := car.next()
		if len(b) > 0 {
			p.chunk = b
			p.post(bitChunk)
			<-p.resume
		}
		if err != nil {
			p.ending = core.ConnectionLost
			if !errors.As(err, &p.ending) && brokenTLS(err) {
				p.broken = err
			}
			p.post(bitEnd)
			return
		}
	}
}

// attend does what was posted.
func (p *pump) attend(bits uint32) {
	if bits&bitDrained != 0 && p.phase != closed {
		p.written()
	}
	if bits&bitChunk != 0 && p.phase != closed {
		p.feed(p.chunk, 0, false)
		p.owed = true
		if !p.blocked {
			p.reading(true)
		}
	}
	if takenOver(bits) && p.phase <= open && !p.owed && p.evictAt == 0 {
		p.evictAt = p.loop.turn.Now.After(catchUp)
		p.loop.wheel.arm(&p.link, p.evictAt)
		p.from.ask()
		bits &^= bitEvict
	}
	p.stream.attend(bits)
	if bits&bitCaughtUp != 0 && p.evictAt != 0 {
		p.evictAt = 0
		p.evict(core.TakenOver)
	}
	if bits&bitEnd != 0 {
		if p.broken != nil && p.phase <= loggingIn { // A5a
			p.counts.preauthClosed("tls")
			p.loop.server.events.preauthClosed(p.counts, p.PeerAddr(), "tls", p.broken)
		}
		p.eof(p.ending)
	}
}

// expire is the wheel's call.
func (p *pump) expire(now core.Time) {
	if p.evictAt != 0 && now >= p.evictAt {
		p.evictAt = 0
		p.evict(core.TakenOver)
	}
	p.stream.expire(now)
	if p.phase != closed {
		p.loop.wheel.arm(&p.link, p.evictAt)
	}
}

// reading lets the reader go on, if it waits.
func (p *pump) reading(on bool) {
	if on && p.owed && p.phase != closed {
		p.owed, p.loop.yield = false, true
		p.resume <- struct{}{}
	}
}

func (p *pump) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pend) + p.busy
}

// write hands b to the writer.
func (p *pump) write(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.pend = append(p.pend, b...)
	p.startWriter()
	return nil
}

// startWriter is called with mu held.
func (p *pump) startWriter() {
	if !p.writer && !p.over {
		p.writer, p.loop.yield = true, true
		p.loop.server.wg.Go(p.drain)
	}
}

// drain is the writer: it ends when nothing is left, and half-closes first if
// that was the last.
func (p *pump) drain() {
	for {
		p.mu.Lock()
		b := p.pend
		p.pend, p.busy = nil, len(b)
		if len(b) == 0 || p.err != nil {
			last := p.last && p.err == nil
			p.last = false
			if !last {
				p.writer = false
				p.mu.Unlock()
				return
			}
			p.mu.Unlock()
			p.car.finish(p.reason, time.Now().Add(linger))
			continue
		}
		p.mu.Unlock()
		err := p.car.write(b)
		p.mu.Lock()
		p.busy = 0
		if err != nil {
			p.err = err
		}
		p.mu.Unlock()
		p.post(bitDrained)
	}
}

// written follows the writer's progress.
func (p *pump) written() {
	p.mu.Lock()
	failed := p.err != nil
	p.mu.Unlock()
	if failed {
		p.gone(core.ConnectionLost)
		return
	}
	p.drained()
}

// finish half-closes; the writer does it, since it may block.
func (p *pump) finish(core.Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = true
	p.startWriter()
}

func (p *pump) loggingIn() { p.car.loggingIn() }

// release closes the carrier, which ends reader and writer.
func (p *pump) release() {
	p.mu.Lock()
	p.over, p.pend = true, nil
	p.mu.Unlock()
	close(p.resume)
	p.loop.server.wg.Go(p.car.close)
}
