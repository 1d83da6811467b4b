package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/entrepot/entrepot/core"
)

// Lasting is a store on disk that outlives failures of the disk. When something
// cannot be written, the store is closed, opened anew, which replays its log,
// and what was not synced is written again, in its order; until then Write
// waits, and nobody is told that anything is safe. A disk that is full is
// waited for; any other failure that lasts ends the store for good.
type Lasting struct {
	dir  string
	o    Options
	tail tail
	stop context.Context // ends the waiting for a disk
	quit context.CancelFunc

	mu       sync.Mutex
	changed  sync.Cond
	now      *Store            // nil while there is none
	dead     error             // why there will be none any more
	closing  bool              // by Close
	shut     bool              // there is nothing to be opened anew
	stopping bool              // the try that a stop makes is over, or under way
	told     func(core.Reason) // nil: nobody
	why      core.Reason       // what was told last
	streak   int               // tries since the last failure that was long ago
	since    time.Time         // of the last recovery
	left     int               // stores that were left behind
}

var (
	_ core.Store  = (*Lasting)(nil)
	_ core.Outage = (*Lasting)(nil)
)

// Patience is how a Lasting waits for its disk.
type Patience struct {
	First, Most time.Duration // between two tries; it doubles
	Tries       int           // of a disk that is not full
	Calm        time.Duration // a failure that comes later is another one
	Grace       time.Duration // how long a store that failed may take to give its files back; 0 means 3 s
}

// usual waits about 40 s.
var usual = Patience{First: 100 * time.Millisecond, Most: 5 * time.Second, Tries: 12, Calm: time.Minute, Grace: 3 * time.Second}

// mostLeft bounds the stores that are left behind in memory.
const mostLeft = 4

// OpenLasting opens the store in dir, as Open does.
func OpenLasting(dir string, o Options) (*Lasting, error) {
	l := &Lasting{dir: dir, o: o}
	l.changed.L = &l.mu
	l.stop, l.quit = context.WithCancel(context.Background())
	if l.o.Logger == nil {
		l.o.Logger = slog.Default()
	}
	if l.o.Errors == nil {
		l.o.Errors = func(string) {}
	}
	if l.o.Lost == nil {
		l.o.Lost = func(error) {}
	}
	l.o.Patience = cmp.Or(o.Patience, usual)
	l.o.tail, l.o.onFailure = &l.tail, l.failed
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := Open(dir, l.o)
	if IsFull(err) {
		l.sweep()
		s, err = Open(dir, l.o)
	}
	if err != nil {
		l.quit()
		return nil, err
	}
	l.now = s
	if err := s.failure(); err != nil { // before it was ours
		go l.recover(s, err)
	}
	return l, nil
}

// OnOutage implements core.Outage.
func (l *Lasting) OnOutage(told func(core.Reason)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = told
	told(l.why)
}

func (l *Lasting) tell(why core.Reason) {
	if l.why = why; l.told != nil {
		l.told(why)
	}
}

// reason is what those hear who are refused meanwhile. [SECURITY O6, O7]
func reason(err error) core.Reason {
	if IsFull(err) {
		return core.DiskFull
	}
	return core.Unavailable
}

// failed is told by a store that it failed, maybe under locks of pebble's.
func (l *Lasting) failed(s *Store, cause error) { go l.recover(s, cause) }

// recover opens the store anew.
func (l *Lasting) recover(s *Store, cause error) {
	began := time.Now()
	l.mu.Lock()
	if l.now != s || l.shut {
		l.mu.Unlock()
		return
	}
	l.now = nil
	l.changed.Broadcast()
	l.tell(reason(cause))
	if time.Since(l.since) > l.o.Patience.Calm {
		l.streak = 0
	}
	l.mu.Unlock()
	err := s.Close()
	l.leave(err)
	for tries := 1; ; tries++ {
		if err = l.pause(cause); err != nil {
			l.die(err)
			return
		}
		next, n, err := l.again()
		if err == nil {
			l.o.Logger.Warn("store.recovered", "dir", l.dir, "tries", tries, "changes", n, "duration", time.Since(began).Round(time.Millisecond))
			l.adopt(next)
			return
		}
		l.o.Errors("open")
		l.o.Logger.Error("store.error", "dir", l.dir, "error", err, "tries", tries)
		l.leave(err)
		l.mu.Lock()
		l.tell(reason(err))
		l.mu.Unlock()
		cause = err
	}
}

// leave counts what stays in memory.
func (l *Lasting) leave(err error) {
	if errors.Is(err, ErrLeft) {
		l.mu.Lock()
		l.left++
		l.mu.Unlock()
	}
}

// pause waits before the next try; an error says that there is none.
func (l *Lasting) pause(cause error) error {
	l.mu.Lock()
	p, left := l.o.Patience, l.left
	if !IsFull(cause) {
		l.streak++
	}
	streak := l.streak
	l.mu.Unlock()
	switch {
	case streak > p.Tries:
		return cause
	case left > mostLeft:
		return fmt.Errorf("%w: it failed %d times in a way that only a new start mends: %w", ErrFailed, left, cause)
	}
	wait, swept := min(p.First<<min(max(streak-1, 0), 16), p.Most), false
	for {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-l.stop.Done(): // once more, for what was written and is not synced
			t.Stop()
			if !l.once() || IsFull(cause) && !l.roomy() {
				return cause
			}
			return nil
		}
		if !IsFull(cause) || l.roomy() {
			return nil
		}
		if !swept {
			l.sweep()
			swept = true
			continue
		}
		wait = min(2*wait, p.Most)
	}
}

// once tells that a stop has not had its one try yet.
func (l *Lasting) once() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	had := l.stopping
	l.stopping = true
	return !had
}

// roomy tells that there is space for what a start writes: the memtables that
// the log holds, and a new log. Where it cannot be measured it is tried.
func (l *Lasting) roomy() bool {
	u, err := cmp.Or(l.o.FS, vfs.Default).GetDiskUsage(l.dir)
	return err != nil || u.AvailBytes >= uint64(l.needed())
}

// needed is what a start writes at most, in bytes.
func (l *Lasting) needed() int64 { return 2*cmp.Or(l.o.Memtable, 8<<20) + tailBytes }

// probeFile is written, synced and removed before pebble meets a disk that had
// failed: an Open that fails halfway stays in memory.
const probeFile = "entrepot-probe"

// probe tells whether the disk works again, and has the space that a quota may
// refuse although there is some.
func (l *Lasting) probe() error {
	disk := cmp.Or(l.o.FS, vfs.Default)
	name := disk.PathJoin(l.dir, probeFile)
	f, err := disk.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if err = f.Preallocate(0, l.needed()); !IsFull(err) { // not every file system can
		_, err = f.Write(make([]byte, 4096))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), disk.Remove(name), syncDir(disk, l.dir))
}

// again opens a store and writes what was not synced.
func (l *Lasting) again() (*Store, int, error) {
	if err := l.probe(); err != nil {
		return nil, 0, fmt.Errorf("store %s cannot be opened: %w", l.dir, err)
	}
	s, err := Open(l.dir, l.o)
	if err != nil {
		return nil, 0, err
	}
	batches, n := l.tail.all()
	if err := s.writeSynced(batches); err != nil { // if it is nothing, it still shows that the log can be synced
		return nil, 0, errors.Join(err, s.Close())
	}
	l.tail.clear()
	return s, n, nil
}

func (l *Lasting) adopt(s *Store) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now, l.since = s, time.Now()
	if err := s.failure(); err != nil { // meanwhile
		go l.recover(s, err)
		return
	}
	l.tell(core.OK)
	l.changed.Broadcast()
}

// die ends the store for good.
func (l *Lasting) die(cause error) {
	l.mu.Lock()
	l.dead = cause
	l.tell(core.Unavailable)
	l.changed.Broadcast()
	closing := l.closing || l.stop.Err() != nil
	l.mu.Unlock()
	if !closing {
		l.o.Lost(cause)
	}
}

// store is the one of now; it waits while there is none.
func (l *Lasting) store(wait bool) (*Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.dead != nil:
			return nil, l.dead
		case l.now != nil:
			return l.now, nil
		case l.closing:
			return nil, core.ErrStoreClosed
		case !wait:
			return nil, ErrFailed
		}
		l.changed.Wait()
	}
}

// Write applies the batches as one change. While the disk cannot be written it
// waits. To write a change again that may have reached the disk already does no
// harm: nothing came in between, and the last operation on each key is the same.
func (l *Lasting) Write(batches []*core.Batch, sync bool) error {
	for {
		s, err := l.store(true)
		if err != nil {
			return err
		}
		if err = s.Write(batches, sync); err == nil || !errors.Is(err, ErrFailed) && !errors.Is(err, core.ErrStoreClosed) {
			return err
		}
		if err = l.gone(s); err != nil {
			return err
		}
	}
}

// gone waits until a store that failed is not the one of now any more.
func (l *Lasting) gone(s *Store) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.now == s {
		if l.closing {
			return core.ErrStoreClosed
		}
		l.changed.Wait()
	}
	return nil
}

// Get returns the value of key, nil if there is none.
func (l *Lasting) Get(key []byte) ([]byte, error) {
	s, err := l.store(false)
	if err != nil {
		return nil, err
	}
	return s.Get(key)
}

// Scan walks the keys from (inclusive) to (exclusive).
func (l *Lasting) Scan(from, to []byte) iter.Seq2[core.Record, error] {
	return func(yield func(core.Record, error) bool) {
		s, err := l.store(false)
		if err != nil {
			yield(core.Record{}, err)
			return
		}
		s.Scan(from, to)(yield)
	}
}

// Backup writes a complete store as a tar to w: [Store.Backup].
func (l *Lasting) Backup(w io.Writer) error {
	s, err := l.store(false)
	if err != nil {
		return err
	}
	return s.Backup(w)
}

// GiveUp makes an outage, also one under way, final: for a stop.
func (l *Lasting) GiveUp() { l.quit() }

// Close releases everything.
func (l *Lasting) Close() error {
	l.quit()
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return core.ErrStoreClosed
	}
	l.closing = true
	for l.dead == nil && (l.now == nil || l.now.failure() != nil) { // a try under way, or about to be
		l.changed.Wait()
	}
	s := l.now
	l.shut = true
	l.changed.Broadcast()
	l.mu.Unlock()
	if s == nil {
		return nil // its failure was told
	}
	return s.Close()
}
