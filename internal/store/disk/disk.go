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

	// Fatal is told of a failure in the background after which the files must
	// not be touched any more; it must not return. nil means to log it and to
	// exit with 1.
	Fatal func(error)

	FS vfs.FS // nil means the disk, watched for operations that take over 5 s
}

// Store is a store on disk. It is safe for concurrent use; Write by one
// goroutine at a time.
type Store struct {
	dir  string
	db   *pebble.DB
	lock *pebble.Lock
	log  *logger
	slow io.Closer // watches for slow operations

	syncer *syncer

	mu      sync.Mutex
	idle    sync.Cond // users is 0
	users   int       // guarded by mu: calls under way
	closing bool      // guarded by mu
	failed  error     // guarded by mu: the first failed write
	stuck   bool      // guarded by mu: the failure left pebble's locks held
}

var _ core.Store = (*Store)(nil)

// Open opens the store in dir, which it makes if it is not there. Nothing is
// changed in a directory that it refuses: ErrForeign, ErrNewer, ErrLocked.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, log: newLogger(o), slow: io.NopCloser(nil), syncer: newSyncer(o)}
	s.idle.L = &s.mu
	if o.FS == nil {
		o.FS, s.slow = vfs.WithDiskHealthChecks(vfs.Default, 5*time.Second, nil, s.log.slow)
	}
	if err := s.open(o); err != nil {
		return nil, errors.Join(err, s.slow.Close())
	}
	return s, nil
}

func (s *Store) open(o Options) (err error) {
	if s.lock, err = claim(o.FS, s.dir); err != nil {
		return err
	}
	w := &watch{FS: o.FS, broken: func(err error) { _ = s.fail(commitFailure{err}) }, fatal: s.log.fatal}
	o.FS = w
	if s.db, err = pebble.Open(s.dir, s.options(o)); err != nil {
		return errors.Join(fmt.Errorf("store %s cannot be opened: %w", s.dir, err), s.lock.Close())
	}
	w.opened.Store(true)
	s.syncer.start(o.Interval, s.syncLog)
	return nil
}

func (s *Store) options(o Options) *pebble.Options {
	p := &pebble.Options{
		FS:                          o.FS,
		Lock:                        s.lock,
		Logger:                      s.log,
		CacheSize:                   8 << 20,
		MemTableSize:                8 << 20,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                256,
		FormatMajorVersion:          pebble.FormatTableFormatV6, // raised together with formatVersion
	}
	if o.Cache > 0 {
		p.CacheSize = o.Cache
	}
	if o.Memtable > 0 {
		p.MemTableSize = uint64(o.Memtable)
	}
	events := s.log.events()
	p.EventListener = &events
	return p
}

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
	defer b.Close()
	for _, from := range batches {
		if err := gather(b, from); err != nil {
			return fmt.Errorf("store %s: %w", s.dir, err)
		}
	}
	if b.Empty() {
		return nil
	}
	err := s.guard(func() error { return b.Commit(s.syncer.options(sync)) })
	s.syncer.dirty.Store(true)
	return err
}

func gather(b *pebble.Batch, from *core.Batch) (err error) {
	for kind, rec := range from.All() {
		switch kind {
		case core.OpSet:
			err = b.Set(rec.Key, rec.Value, nil)
		case core.OpDelete:
			err = b.Delete(rec.Key, nil)
		case core.OpDeleteRange:
			if string(rec.Key) < string(rec.Value) { // pebble is not asked to delete nothing
				err = b.DeleteRange(rec.Key, rec.Value, nil)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
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
// the directory.
func (s *Store) Close() error {
	if !s.close() {
		return core.ErrStoreClosed
	}
	s.syncer.end()
	if s.stuck { // nobody else is left to change it
		return fmt.Errorf("store %s stays locked until the process ends: %w", s.dir, s.failed)
	}
	return errors.Join(closeDB(s.db), s.lock.Close(), s.slow.Close())
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
