package mqttsn

import (
	"net/netip"

	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

// maxSources bounds a table of buckets.
const maxSources = 16384

// take uses one token of a bucket of that rate, whose burst is twice it.
func (r Rate) take(b *limit.Bucket, now core.Time) bool {
	return r == Unlimited || b.Take(now, 1, int(r), 2*int(r))
}

// buckets are the token buckets of sources, by address. When the table is
// full, a source that owes nothing makes room; if none is found soon, all
// that found no place share one bucket.
type buckets struct {
	rate Rate
	of   map[netip.Addr]*limit.Bucket
	rest limit.Bucket
}

func newBuckets(rate Rate) *buckets {
	return &buckets{rate: rate, of: map[netip.Addr]*limit.Bucket{}}
}

// take uses one token of the source's bucket.
func (b *buckets) take(now core.Time, from netip.Addr) bool {
	if b.rate == Unlimited {
		return true
	}
	from = limit.Key(from)
	own := b.of[from]
	if own == nil {
		if own = &b.rest; b.room(now) {
			own = new(limit.Bucket)
			b.of[from] = own
		}
	}
	return b.rate.take(own, now)
}

func (b *buckets) room(now core.Time) bool {
	if len(b.of) < maxSources {
		return true
	}
	tries := 16
	for addr, own := range b.of {
		if own.Full(now, int(b.rate)) {
			delete(b.of, addr)
			return true
		}
		if tries--; tries == 0 {
			break
		}
	}
	return false
}
