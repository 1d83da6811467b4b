package disk

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// commit is one write on its way through the goroutine that may be left behind.
type commit struct {
	batch   *pebble.Batch
	options *pebble.WriteOptions
	done    chan error
}

// commit waits for a write, or for the failure of the store.
func (s *Store) commit(b *pebble.Batch, options *pebble.WriteOptions) error {
	c := commit{b, options, make(chan error, 1)}
	select {
	case s.work <- c:
	case <-s.broken:
		return s.failure()
	}
	select {
	case err := <-c.done:
		return err
	case <-s.broken: // whether it came to the disk or not
		return s.failure()
	}
}

// commits writes one batch after the other. pebble may keep a write waiting
// for ever when it cannot flush; then this goroutine is left behind with it,
// and the caller goes on.
func (s *Store) commits() {
	defer close(s.written)
	for c := range s.work {
		err := s.apply(c.batch, c.options)
		if err == nil {
			_ = c.batch.Close()
		}
		c.done <- err
	}
}

// apply hands a batch to pebble, then waits for the disk.
func (s *Store) apply(b *pebble.Batch, options *pebble.WriteOptions) error {
	s.applying.Lock()
	err := s.failure()
	if err == nil {
		err = s.guard("write", func() error {
			if options.Sync {
				return s.db.ApplyNoSyncWait(b, options)
			}
			return s.db.Apply(b, options)
		})
	}
	s.applying.Unlock()
	if err != nil || !options.Sync {
		return err
	}
	if err := b.SyncWait(); err != nil {
		return s.fail("sync", commitFailure{err})
	}
	return nil
}

// safe tells that no write is on its way into pebble. The store has failed, so
// there will be none. One that is about to come back is waited for; one that
// waits for the caller is not.
func (s *Store) safe() bool {
	for range 200 {
		if s.applying.TryLock() {
			s.applying.Unlock()
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
