package gateway

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/unreadable"
)

// online looks at what can only be known by trying: how long the disk takes, and what backends of logins answer.
// OPERATIONS C25, C26
func (k *check) online(ctx context.Context) {
	k.sync()
	p, problems := readAccess(k.c, k.s.sections)
	if !problems.Failed() {
		k.problems = append(k.problems, p.settings.Reach(ctx)...)
	}
}

const (
	syncs    = 32
	syncTime = 2 * time.Second       // after which no further one begins
	slowSync = 50 * time.Millisecond // what every durable publisher would notice
)

// sync measures how long a small write takes to be safe, in a file that is gone afterwards.
func (k *check) sync() {
	if k.above == "" {
		return
	}
	took, err := syncLatency(k.above)
	if err != nil {
		k.fail(config.CodeData, "node.data", "%s cannot be written and synced: %s", k.above, unreadable.Why(err))
		return
	}
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	p := k.warn(config.CodeData, "node.data", "a synced write to %s takes %s, at worst %s", k.above, median.Round(10*time.Microsecond), worst.Round(10*time.Microsecond))
	if k.s.store().Sync != "always" || median < slowSync {
		p.Note = true
		return
	}
	p.Hint = "whoever publishes with QoS 1 or 2 waits that long; store.sync: interval does not wait, and a power cut may take the last interval"
}

func syncLatency(dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".entrepot-check-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // nothing more can be done
	defer f.Close()
	page := make([]byte, 4096)
	for began := time.Now(); len(took) < syncs && (len(took) == 0 || time.Since(began) < syncTime); {
		at := time.Now()
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(at))
	}
	return took, nil
}
