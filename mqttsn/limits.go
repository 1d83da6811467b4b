package mqttsn

import (
	"net/netip"

	"github.com/entrepot/entrepot/core"
)

// maxSources bounds a table of buckets. Beyond it one that has filled up
// again, and so says nothing, makes room; else the newest source shares one
// bucket with all others that found no place.
const maxSources = 16384

// bucket is a token bucket: it holds twice the rate, which is the burst.
type bucket struct {
	tokens int64 // thousandths
	at     core.Time
}

// take uses one token of a bucket of rate tokens a second.
func (b *bucket) take(now core.Time, rate Rate) bool {
	if rate == Unlimited {
		return true
	}
	full := int64(rate) * 2000
	have := full
	if b.at != 0 {
		have = min(full, b.tokens+int64(now-b.at)*int64(rate))
	}
	b.at = now
	if have < 1000 {
		b.tokens = have
		return false
	}
	b.tokens = have - 1000
	return true
}

// buckets are the token buckets of sources, by address.
type buckets struct {
	rate Rate
	of   map[netip.Addr]*bucket
	rest bucket
}

func newBuckets(rate Rate) *buckets { return &buckets{rate: rate, of: map[netip.Addr]*bucket{}} }

// take uses one token of the source's bucket.
func (b *buckets) take(now core.Time, from netip.Addr) bool {
	if b.rate == Unlimited {
		return true
	}
	own := b.of[from]
	if own == nil {
		if own = &b.rest; b.room(now) {
			own = new(bucket)
			b.of[from] = own
		}
	}
	return own.take(now, b.rate)
}

// room makes a place in a full table: of a few sources one that was quiet for
// two seconds, whose bucket is full again, is forgotten.
func (b *buckets) room(now core.Time) bool {
	if len(b.of) < maxSources {
		return true
	}
	tries := 16
	for addr, own := range b.of {
		if now-own.at > 2000 {
			delete(b.of, addr)
			return true
		}
		if tries--; tries == 0 {
			break
		}
	}
	return false
}
