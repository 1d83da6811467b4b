package bench

import (
	"math/bits"
	"time"
)

const subBits = 6 // 64 steps for each power of two: an error below 1.6 %

// Histogram counts durations of up to nine years in constant memory. The zero value is empty.
type Histogram struct {
	counts [(65 - subBits) << subBits]uint64
	total  uint64
	max    time.Duration
	sum    time.Duration
}

// Add counts one duration; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.total++
	h.sum += d
	h.max = max(h.max, d)
}

// bucket is the value itself below 64, above it the exponent and the next six bits.
func bucket(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	e := bits.Len64(v) - 1 - subBits
	return min((e<<subBits)+int(v>>e), len(Histogram{}.counts)-1)
}

// lower is the smallest value of a bucket.
func lower(i int) uint64 {
	if i < 2<<subBits {
		return uint64(i)
	}
	e := i>>subBits - 1
	return uint64(i-e<<subBits) << e
}

// Merge adds what another histogram counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// Quantile returns the duration that a share q of all do not exceed; 0 if nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total))
	if rank >= h.total {
		return h.max
	}
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen > rank {
			return min(time.Duration(lower(i)), h.max)
		}
	}
	return h.max
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.total }

// Max is the longest one.
func (h *Histogram) Max() time.Duration { return h.max }
