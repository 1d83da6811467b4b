package listen

import (
	"sync"
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const (
	inputSize  = 128 << 10 // of a loop's read buffer: what one publisher sends fits into an output
	wakeRounds = 4         // how often a pass walks its dirty list
	keptOutput = 1 << 20   // the output buffer is not kept beyond this
)

// loop drives the rooms of its connections.
type loop struct {
	server *Server // Immutable.
	wait   waiter  // Immutable.

	mail   mailbox
	asleep atomic.Bool

	mu     sync.Mutex
	calls  []func(*loop) // Guarded by mu.
	ended  bool          // Guarded by mu.
	called atomic.Bool   // calls is not empty; written under mu

	// Owned by the loop.
	turn     *core.Turn
	out      adapters.Output
	filling  *stream // whose the output is; nil: of a datagram endpoint
	early    earlier
	buf      []byte
	portion  portion
	made     int      // bytes of output of the pass
	pieces   [][]byte // scratch of send
	lends    bool     // what is being processed lies in buf
	wheel    wheel
	dirty    []*link
	batch    []*link
	streams  table
	rests    []*rest
	live     int // streams and endpoints
	moveAt   int // where a drain goes on in streams
	stopping bool
	yield    bool // the pass woke a goroutine
}

func newLoop(s *Server) (*loop, error) {
	l := &loop{server: s}
	l.turn = s.router.NewTurn(l)
	l.wheel.start(l.turn.Now)
	var err error
	l.wait, err = newWaiter(l)
	return l, err
}

// Kick wakes the loop if it sleeps.
func (l *loop) Kick() {
	if l.asleep.Load() && l.asleep.Swap(false) {
		l.wait.wake()
	}
}

// call runs f on the loop; false: the loop has ended.
func (l *loop) call(f func(*loop)) bool {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return false
	}
	l.calls = append(l.calls, f)
	l.called.Store(true)
	l.mu.Unlock()
	l.Kick()
	return true
}

// run is the loop's goroutine.
func (l *loop) run() {
	l.buf, l.portion.bytes = make([]byte, inputSize), inputSize
	for {
		l.sleep()
		l.turn.Begin()
		l.made = 0
		l.wait.dispatch()
		l.readMail()
		l.runCalls() // after the mail was fetched: a connection is opened before its first chunk
		l.wheel.advance(l.turn.Now)
		l.wakeDirty()
		l.yield = l.turn.End() || l.yield
		if l.stopping && l.live == 0 && l.end() {
			return
		}
	}
}

// end refuses further calls, unless some have come.
func (l *loop) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = len(l.calls) == 0
	if l.ended {
		l.wait.close()
	}
	return l.ended
}

// sleep waits for descriptors, a kick or a timer. Who posts looks at asleep
// after posting, so what it does not see here it announces.
func (l *loop) sleep() {
	timeout := 0
	if len(l.dirty) == 0 {
		l.asleep.Store(true)
		if l.mail.empty() && !l.called.Load() {
			timeout = l.patience()
		}
	}
	l.wait.wait(timeout)
	l.asleep.Store(false)
}

// patience is how long the loop may wait, in milliseconds; -1: without end. A
// wait that is brief anyway makes a timer late by so much at most, and looks
// neither at the clock nor at the timers.
func (l *loop) patience() int {
	if most := l.wait.brief(); most > 0 {
		return most
	}
	return l.wheel.next(l.server.clock.Now())
}

func (l *loop) runCalls() {
	if !l.called.Load() {
		return
	}
	l.mu.Lock()
	calls := l.calls
	l.calls = nil
	l.called.Store(false)
	l.mu.Unlock()
	for _, f := range calls {
		f(l)
	}
}

func (l *loop) readMail() {
	l.dirty = l.mail.drain(l.dirty)
}

// wakeDirty attends to what was posted. What still asks for more after some
// rounds, or when the pass has made as much output as one connection may, waits
// for the next pass, so that reading goes on.
func (l *loop) wakeDirty() {
	for round := range wakeRounds {
		if len(l.dirty) == 0 || round > 0 && l.made >= adapters.OutputSoft {
			return
		}
		l.batch, l.dirty = l.dirty, l.batch[:0]
		for i, k := range l.batch {
			l.batch[i] = nil
			k.own.attend(k.state.Swap(0))
		}
	}
}

// output is the loop's one output, empty.
func (l *loop) output() *adapters.Output {
	if cap(l.out.B) > keptOutput {
		l.out.B = nil
	}
	l.filling = nil
	l.out.Reset()
	return &l.out
}

// table holds the loop's streams at stable places.
type table struct {
	at   []*stream
	free []int32
}

func (t *table) add(s *stream) int32 {
	if n := len(t.free); n > 0 {
		i := t.free[n-1]
		t.free = t.free[:n-1]
		t.at[i] = s
		return i
	}
	t.at = append(t.at, s)
	return int32(len(t.at) - 1)
}

func (t *table) remove(i int32) {
	t.at[i] = nil
	t.free = append(t.free, i)
}

func (t *table) get(i int32) *stream {
	if int(i) >= len(t.at) {
		return nil
	}
	return t.at[i]
}
