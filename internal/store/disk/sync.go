package disk

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A SyncPolicy says what a synced write waits for, and so what may be lost of
// what was acknowledged. Whatever is lost is the newest: never a part of a
// write, nor one with later ones left. Without a sync, pebble keeps the block of
// the log that is not full, 32 KiB, in the process: a kill takes it as well, and
// under SyncAlways up to 64 KiB more of what did not ask for a sync.
type SyncPolicy int

// The policies, `store.sync` in the configuration.
const (
	SyncAlways   SyncPolicy = iota // the disk: nothing is lost
	SyncInterval                   // nothing: the last Options.Interval may be lost
	SyncNever                      // nothing: the block may be lost, and at a power cut what the operating system holds
)

// syncer syncs the log every interval in which something was written.
type syncer struct {
	policy SyncPolicy
	dirty  atomic.Bool   // something was written since the last sync
	stop   chan struct{} // closed to end it
	ended  chan struct{} // closed when it has
}

func newSyncer(o Options) *syncer {
	return &syncer{policy: o.Sync, stop: make(chan struct{}), ended: make(chan struct{})}
}

// options are those of a write that asks for sync.
func (y *syncer) options(sync bool) *pebble.WriteOptions {
	if sync && y.policy == SyncAlways {
		return pebble.Sync
	}
	return pebble.NoSync
}

// start runs sync in intervals until end.
func (y *syncer) start(interval time.Duration, sync func()) {
	if y.policy != SyncInterval {
		close(y.ended)
		return
	}
	if interval <= 0 {
		interval = 100 * time.Millisecond
	}
	go func() {
		defer close(y.ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if y.dirty.Swap(false) {
					sync()
				}
			case <-y.stop:
				return
			}
		}
	}()
}

// end stops it and waits for it.
func (y *syncer) end() {
	close(y.stop)
	<-y.ended
}

// syncLog syncs what was written before. A failure stops all later writes.
func (s *Store) syncLog() {
	if s.enter() != nil {
		return
	}
	defer s.leave()
	if s.failure() != nil {
		return
	}
	if s.tail != nil {
		s.tail.syncing()
	}
	done := make(chan error, 1)
	go func() {
		b := s.db.NewBatch()
		err := b.LogData(nil, nil)
		if err == nil {
			err = s.apply(b, pebble.Sync)
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil && s.tail != nil {
			s.tail.synced()
		}
	case <-s.broken: // pebble may keep it for ever
	}
}
