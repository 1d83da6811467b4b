package limit

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/entrepot/entrepot/core"
)

// Unlimited is the value that the word "unlimited" stands for; no number in a
// configuration means it.
const Unlimited = -1

// Rate is a number of events a second, written "10/s", that may be unlimited.
type Rate int

// UnmarshalText reads a rate or "unlimited".
func (r *Rate) UnmarshalText(text []byte) error {
	s, _ := strings.CutSuffix(string(text), "/s")
	if s == "unlimited" {
		*r = Unlimited
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is neither a number above 0 nor unlimited", s)
	}
	*r = Rate(n)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (r Rate) MarshalText() ([]byte, error) {
	if r == Unlimited {
		return []byte("unlimited"), nil
	}
	return []byte(strconv.Itoa(int(r)) + "/s"), nil
}

// Take uses one token of a bucket of that rate, whose burst is twice it.
func (r Rate) Take(b *Bucket, now core.Time) bool {
	return r == Unlimited || b.Take(now, 1, int(r), 2*int(r))
}

// maxSources bounds a table of buckets.
const maxSources = 16384

// Sources are the token buckets of sources, by address. When the table is
// full, a source that owes nothing makes room; if none is found soon, all
// that found no place share one bucket. It is not safe for concurrent use.
type Sources struct {
	rate Rate
	of   map[[16]byte]Bucket
	rest Bucket
}

// NewSources makes the table of a rate.
func NewSources(rate Rate) *Sources {
	return &Sources{rate: rate, of: map[[16]byte]Bucket{}}
}

// Take uses one token of the source's bucket.
func (s *Sources) Take(now core.Time, from netip.Addr) bool {
	if s.rate == Unlimited {
		return true
	}
	key := Key(from).As16()
	own, known := s.of[key]
	if !known && !s.room(now) {
		return s.rate.Take(&s.rest, now)
	}
	ok := s.rate.Take(&own, now)
	s.of[key] = own
	return ok
}

func (s *Sources) room(now core.Time) bool {
	if len(s.of) < maxSources {
		return true
	}
	tries := 16
	for addr, own := range s.of {
		if own.Full(now, int(s.rate)) {
			delete(s.of, addr)
			return true
		}
		if tries--; tries == 0 {
			break
		}
	}
	return false
}
