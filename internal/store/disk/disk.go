// Package disk is the store on disk: github.com/cockroachdb/pebble/v2 behind
// core.Store, with bounded memory, a format of its own to tell versions apart,
// and errors that come back to the caller instead of ending the process.
package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"path/filepath"
	"strings"
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

	FS vfs.FS // nil means the disk, watched for operations that take over 5 s

	// Errors is told of each operation that failed: create, write, sync,
	// rename, open. It must not block. nil means nobody.
	Errors func(op string)

	// What Lasting adds: how it waits, zero for about 40 s, and who is told when
	// it waits no longer.
	Patience Patience
	Lost     func(error)

	grace     time.Duration               // how long a store that failed may take to give its files back
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

// Open opens the store in dir, which it makes if it is not there. Nothing is
// changed in a directory that it refuses: ErrForeign, ErrNewer, ErrLocked.
func Open(dir string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Errors == nil {
		o.Errors = func(string) {}
	}
	s := &Store{
		dir: filepath.Clean(dir), slow: io.NopCloser(nil), syncer: newSyncer(o), tail: o.tail, onFailure: o.onFailure, grace: cmp.Or(o.grace, 3*time.Second),
		work: make(chan commit), written: make(chan struct{}), broken: make(chan struct{}),
	}
	s.log = &logger{to: o.Logger, fatal: func(err error) {
		_ = s.fail("background", err)
		s.files.park()
	}}
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
	s.held = &held{FS: o.FS}
	if s.lock, err = claim(s.held, s.dir); err != nil {
		return err
	}
	s.fs = o.FS
	s.removeCheckpoint()
	s.files = &watch{FS: o.FS, aside: o.FS.PathJoin(s.dir, checkpointDir), parked: make(chan struct{}), safe: s.safe, broken: func(op string, err error) {
		o.Errors(op)
		_ = s.fail(op, commitFailure{err})
	}}
	under := o.FS
	o.FS = s.files
	logs := s.logs(under)
	if err := s.openDB(o); err != nil {
		s.files.shut() // pebble may have left something behind
		s.removeLogs(under, logs)
		return errors.Join(fmt.Errorf("store %s cannot be opened: %w", s.dir, err), s.unlock(errors.Is(err, ErrLeft)))
	}
	s.files.opened.Store(true)
	go s.commits()
	s.syncer.start(o.Interval, s.syncLog)
	return nil
}

// openDB is pebble's Open, in a goroutine that may be left behind.
func (s *Store) openDB(o Options) error {
	type opening struct {
		db  *pebble.DB
		err error
	}
	done := make(chan opening, 1)
	go func() {
		var x opening
		err := s.guard("open", func() error {
			x.db, x.err = pebble.Open(s.dir, s.options(o))
			return nil
		})
		if err != nil {
			x.err = errors.Join(err, ErrLeft)
		}
		done <- x
	}()
	select {
	case x := <-done:
		s.db = x.db
		if x.err == nil && s.failure() != nil { // in a goroutine of pebble's
			x.err = errors.Join(s.failure(), closeDB(x.db))
		}
		return x.err
	case <-s.files.parked:
		return errors.Join(s.failure(), ErrLeft)
	}
}

// logs are the names of the files that may be logs.
func (s *Store) logs(disk vfs.FS) map[string]bool {
	names, _ := disk.List(s.dir)
	logs := map[string]bool{}
	for _, name := range names {
		logs[name] = strings.HasSuffix(name, ".log")
	}
	return logs
}

// removeLogs removes the logs that an attempt to open the store has made.
// Nothing was written to them; but behind them, pebble would take the one that
// broke off for damage.
func (s *Store) removeLogs(disk vfs.FS, before map[string]bool) {
	for name, log := range s.logs(disk) {
		if log && !before[name] {
			_ = disk.Remove(disk.PathJoin(s.dir, name)) // the next attempt says what is wrong
		}
	}
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
	for _, from := range batches {
		if err := gather(b, from); err != nil {
			return errors.Join(fmt.Errorf("store %s: %w", s.dir, err), b.Close())
		}
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
	for _, from := range batches {
		if err := gather(b, from); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	if err := b.LogData(nil, nil); err != nil { // so that it is never empty
		return errors.Join(err, b.Close())
	}
	return s.commit(b, pebble.Sync)
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
