package limit

import "github.com/entrepot/entrepot/core"

// Bucket is a token bucket. The zero value is full. It is not safe for
// concurrent use.
type Bucket struct {
	debt int64 // thousandths of a token taken and not yet refilled
	last core.Time
}

// Take takes n tokens of a bucket that gains rate a second and holds burst;
// false, and nothing taken, when there are not enough.
func (b *Bucket) Take(now core.Time, n, rate, burst int) bool {
	b.refill(now, rate)
	if b.debt+int64(n)*1000 > int64(burst)*1000 {
		return false
	}
	b.debt += int64(n) * 1000
	return true
}

// Wait is the time at which one token is there again.
func (b *Bucket) Wait(now core.Time, rate, burst int) core.Time {
	b.refill(now, rate)
	missing := b.debt + 1000 - int64(burst)*1000
	if missing <= 0 {
		return now
	}
	return now + core.Time((missing+int64(rate)-1)/int64(rate))
}

// Full reports that nothing is owed, so that the bucket may be forgotten.
func (b *Bucket) Full(now core.Time, rate int) bool {
	b.refill(now, rate)
	return b.debt == 0
}

// refill adds what was gained: rate tokens a second is rate thousandths a
// millisecond. Longer than an hour nobody owes anything, whatever the rate.
func (b *Bucket) refill(now core.Time, rate int) {
	if now > b.last {
		b.debt = max(0, b.debt-int64(min(now-b.last, 3_600_000))*int64(rate))
		b.last = now
	}
}
