package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Open opens the store in dir, which it makes if it is not there. Nothing is
// changed in a directory that it refuses: ErrForeign, ErrNewer, ErrLocked,
// ErrIncomplete.
func Open(dir string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Errors == nil {
		o.Errors = func(string) {}
	}
	if o.Synced == nil {
		o.Synced = func(time.Duration) {}
	}
	s := &Store{
		dir: filepath.Clean(dir), slow: io.NopCloser(nil), syncer: newSyncer(o), tail: o.tail, onFailure: o.onFailure, grace: cmp.Or(o.Patience.Grace, usual.Grace),
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
	s.files = &watch{FS: o.FS, log: o.log(), aside: o.FS.PathJoin(s.dir, checkpointDir), synced: o.Synced, parked: make(chan struct{}), safe: s.safe, broken: func(op string, err error) {
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
			x.err = errors.Join(s.failure(), ErrLeft)
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
	p.Experimental.SpanPolicyFunc = s.layout.policy
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
