// Package disk is the store on disk: github.com/cockroachdb/pebble/v2 behind
// core.Store, with bounded memory, a format of its own to tell versions apart,
// and errors that come back to the caller instead of ending the process.
package disk

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/entrepot/entrepot/core"
)

// Options tunes a store. The zero value means the defaults.
type Options struct {
	Sync     SyncPolicy    // what a synced write waits for
	Interval time.Duration // of SyncInterval; 0 means 100 ms

	Cache    int64        // bytes of blocks kept in memory; 0 means 8 MiB
	Memtable int64        // bytes gathered before they go to a table; up to 4 exist at a time; 0 means 8 MiB
	Logger   *slog.Logger // for what goes wrong in the background; nil means slog.Default

	FS     vfs.FS // nil means the disk, watched for operations that take over 5 s
	Blocks bool   // the log of an FS without descriptors is written in blocks too, as that of a disk

	// Errors is told of each operation that failed: create, write, sync,
	// rename, open. It must not block. nil means nobody.
	Errors func(op string)

	// Synced is told how long each sync of the log took that worked. It must not
	// block. nil means nobody.
	Synced func(took time.Duration)

	// What Lasting adds: how it waits, zero for about 40 s, and who is told when
	// it waits no longer.
	Patience Patience
	Lost     func(error)

	tail      *tail                       // nil: nobody writes it again
	onFailure func(s *Store, cause error) // must not block
}

// Store is a store on disk, until it fails: [Lasting] opens another one then.
// It is safe for concurrent use; Write by one goroutine at a time.
type Store struct {
	dir       string
	db        *pebble.DB
	lock      *pebble.Lock
	held      *held
	log       *logger
	slow      io.Closer // watches for slow operations
	files     *watch
	tail      *tail
	onFailure func(*Store, error)
	grace     time.Duration

	fs     vfs.FS     // below files
	backup sync.Mutex // held while one is made

	applying sync.Mutex // held while a write is on its way into pebble

	layout  layout
	syncer  *syncer
	work    chan commit
	written chan struct{} // closed when the goroutine that writes has ended
	broken  chan struct{} // closed at the first failure

	mu      sync.Mutex
	idle    sync.Cond // users is 0
	users   int       // guarded by mu: calls under way
	closing bool      // guarded by mu
	failed  error     // guarded by mu: the first failed write
	stuck   bool      // guarded by mu: the failure left pebble's locks held
}

var _ core.Store = (*Store)(nil)

// Write applies the batches as one change. The store refuses all writes after
// one that failed: what it left behind is known only after it was opened anew.
func (s *Store) Write(batches []*core.Batch, sync bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.failure(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	if err := s.layout.gather(b, batches); err != nil {
		return errors.Join(fmt.Errorf("store %s: %w", s.dir, err), b.Close())
	}
	if b.Empty() {
		return b.Close()
	}
	options := s.syncer.options(sync)
	if s.tail != nil && !options.Sync && s.tail.full() {
		options = pebble.Sync
	}
	if err := s.commit(b, options); err != nil {
		return err
	}
	s.syncer.dirty.Store(true)
	switch {
	case s.tail == nil:
	case options.Sync:
		s.tail.clear()
	default:
		s.tail.add(batches)
	}
	return nil
}

// writeSynced writes and syncs, whatever the policy.
func (s *Store) writeSynced(batches []*core.Batch) error {
	b := s.db.NewBatch()
	if err := s.layout.gather(b, batches); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := b.LogData(nil, nil); err != nil { // so that it is never empty
		return errors.Join(err, b.Close())
	}
	return s.commit(b, pebble.Sync)
}

// Get returns the value of key, nil if there is none.
func (s *Store) Get(key []byte) ([]byte, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", s.dir, err)
	}
	return append(make([]byte, 0, len(v)), v...), closer.Close()
}

// Scan walks the keys from (inclusive) to (exclusive) as they were when it
// began. It ends with core.ErrStoreClosed when the store is closed meanwhile.
func (s *Store) Scan(from, to []byte) iter.Seq2[core.Record, error] {
	return func(yield func(core.Record, error) bool) {
		if err := s.enter(); err != nil {
			yield(core.Record{}, err)
			return
		}
		defer s.leave()
		if err := s.scan(from, to, yield); err != nil {
			yield(core.Record{}, err)
		}
	}
}

// errEnough ends a scan whose caller has had enough.
var errEnough = errors.New("enough")

func (s *Store) scan(from, to []byte, yield func(core.Record, error) bool) error {
	if string(from) >= string(to) {
		return nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
	switch err := s.walk(it, yield); {
	case errors.Is(err, errEnough):
		_ = it.Close() // its errors are those of records that nobody asked for
		return nil
	case err != nil:
		_ = it.Close()
		return err
	}
	if err := it.Close(); err != nil { // an iterator that failed says so here at the latest
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
	return nil
}

func (s *Store) walk(it *pebble.Iterator, yield func(core.Record, error) bool) error {
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("store %s: %w", s.dir, err)
		}
		if s.ending() {
			return core.ErrStoreClosed
		}
		if !yield(core.Record{Key: it.Key(), Value: v}, nil) {
			return errEnough
		}
	}
	return nil
}

// Close waits for the calls under way, writes out what is gathered and releases
// the directory. A store that failed and cannot be closed is left behind, shut
// off from its files; ErrLeft says so.
func (s *Store) Close() error {
	if !s.close() {
		return core.ErrStoreClosed
	}
	closed := make(chan error, 1)
	go func() { closed <- s.end() }()
	err, left := error(nil), false
	select {
	case err = <-closed:
	case <-s.broken:
		late := time.NewTimer(s.grace)
		defer late.Stop()
		select {
		case err = <-closed:
		case <-s.files.parked:
			left = true
		case <-late.C:
			left = true
		}
	}
	s.files.shut()
	if left || errors.Is(err, ErrLeft) {
		return errors.Join(ErrLeft, s.unlock(true))
	}
	return errors.Join(err, s.unlock(false), s.slow.Close())
}

// unlock gives the directory back. pebble counts the lock as its own too, until
// it is closed; one that is left behind never is.
func (s *Store) unlock(left bool) error {
	if left {
		return s.held.Close()
	}
	return errors.Join(s.lock.Close(), s.held.Close())
}

// ErrLeft is a store whose memory is not given back before the process ends.
var ErrLeft = errors.New("the store was left behind")

// end waits for what writes, and closes pebble unless its locks are held.
func (s *Store) end() error {
	s.syncer.end()
	close(s.work)
	<-s.written
	s.mu.Lock()
	stuck := s.stuck
	s.mu.Unlock()
	if stuck {
		return ErrLeft
	}
	return closeDB(s.db)
}

// close refuses new calls and waits for those under way; false if it was called
// before.
func (s *Store) close() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.closing = true
	for s.users > 0 {
		s.idle.Wait()
	}
	return true
}

// closeDB turns a panic of pebble, which cannot write any more, into an error.
func closeDB(db io.Closer) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: closing: %v", p)
		}
	}()
	return db.Close()
}

// enter counts a call, so that Close waits for it.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return core.ErrStoreClosed
	}
	s.users++
	return nil
}

func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.idle.Signal()
	}
}

func (s *Store) ending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}
