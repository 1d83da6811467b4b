package disk

import (
	"sync"

	"github.com/entrepot/entrepot/core"
)

// tailBytes is how much may be written without a sync; the write that comes to
// it is synced, whatever it asked for. pebble syncs its tables as often.
const tailBytes = 8 << 20

// tail is what was written and not synced since: what a failed disk may have
// taken although nobody was told. It is written again to the store that is
// opened in its place, before anything new.
type tail struct {
	mu    sync.Mutex
	under core.Batch // a sync of it is under way
	since core.Batch
}

func (x *tail) add(batches []*core.Batch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range batches {
		x.since.Add(b)
	}
}

// full tells that it must not grow.
func (x *tail) full() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.under.Size()+x.since.Size() >= tailBytes
}

// syncing and synced are called around a sync beside writes.
func (x *tail) syncing() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.under.Len() == 0 {
		x.under, x.since = x.since, x.under
		return
	}
	x.under.Add(&x.since) // the sync before failed
	x.since.Reset()
}

func (x *tail) synced() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.under.Reset()
}

// clear follows a write that was synced: everything before it is too.
func (x *tail) clear() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.under.Reset()
	x.since.Reset()
}

// all is everything, in order; len counts its operations.
func (x *tail) all() (batches []*core.Batch, n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.under.Add(&x.since)
	x.since.Reset()
	return []*core.Batch{&x.under}, x.under.Len()
}
