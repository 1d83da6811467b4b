package auth

import (
	"sync"
	"time"
)

// failures counts failed logins per source address and per address and user (U13): above the limit a backend is not
// asked any more. A user is never locked out everywhere.
type failures struct {
	limit int // a minute
	now   func() time.Time

	mu     sync.Mutex
	minute int64
	counts map[failure]int
	before map[failure]int // of the minute before
}

type failure struct{ addr, user string }

// mostFailures bounds the table: a minute of failed logins beyond it counts for nobody in particular.
const mostFailures = 100_000

func newFailures(limit int, now func() time.Time) *failures {
	return &failures{limit: limit, now: now, counts: map[failure]int{}, before: map[failure]int{}}
}

// turn begins a new minute; mu is held.
func (f *failures) turn() (share float64) {
	now := f.now()
	minute := now.Unix() / 60
	switch minute - f.minute {
	case 0:
	case 1:
		f.before, f.counts = f.counts, map[failure]int{}
	default:
		f.before, f.counts = map[failure]int{}, map[failure]int{}
	}
	f.minute = minute
	return 1 - float64(now.UnixMilli()%60_000)/60_000 // of the minute before that lies within the last 60 s
}

// blocked tells that an address has failed too often, alone or with that user.
func (f *failures) blocked(addr, user string) bool {
	if f.limit <= 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	share := f.turn()
	for _, k := range keys(addr, user) {
		if float64(f.counts[k])+share*float64(f.before[k]) >= float64(f.limit) {
			return true
		}
	}
	return false
}

// add counts a failed login.
func (f *failures) add(addr, user string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn()
	for _, k := range keys(addr, user) {
		if _, have := f.counts[k]; have || len(f.counts) < mostFailures {
			f.counts[k]++
		}
	}
}

func keys(addr, user string) []failure {
	if user == "" {
		return []failure{{addr, ""}}
	}
	return []failure{{addr, ""}, {addr, user}}
}
