package bench

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

type subscriber struct {
	run   *run
	index int
	conn  dial.Conn

	mu      sync.Mutex
	seen    map[uint32]*sequence // by publisher; guarded by mu
	latency Histogram            // guarded by mu
	foreign uint64               // messages that are not ours; guarded by mu
}

func newSubscriber(r *run, i int) *subscriber {
	return &subscriber{run: r, index: i, seen: map[uint32]*sequence{}}
}

// message counts one delivery and lets its publisher send another.
func (s *subscriber) message(m dial.Message) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(m.Payload) < MinSize {
		s.foreign++
		return
	}
	publisher := binary.BigEndian.Uint32(m.Payload[8:])
	if int(publisher) >= s.run.Pubs {
		s.foreign++
		return
	}
	q := s.seen[publisher]
	if q == nil {
		q = &sequence{}
		s.seen[publisher] = q
	}
	q.add(binary.BigEndian.Uint64(m.Payload[12:]))
	s.run.received.Add(1)
	if s.run.counting.Load() {
		sent := s.run.start.Add(time.Duration(binary.BigEndian.Uint64(m.Payload)))
		s.latency.Add(now.Sub(sent))
	}
	if s.index < s.run.Topics { // the first subscriber of a topic gives the credits
		s.run.pubs[publisher].credit()
	}
}

// A sequence finds what is lost, doubled or late among numbers that are sent in order from 0.
type sequence struct {
	next    uint64
	missing map[uint64]struct{}
	doubled uint64
	late    uint64
}

func (q *sequence) add(n uint64) {
	switch {
	case n == q.next:
		q.next++
	case n > q.next:
		if q.missing == nil {
			q.missing = map[uint64]struct{}{}
		}
		for ; q.next < n; q.next++ {
			q.missing[q.next] = struct{}{}
		}
		q.next++
	default:
		if _, was := q.missing[n]; was {
			delete(q.missing, n)
			q.late++
			return
		}
		q.doubled++
	}
}

// lost is the number that never came, of sent ones.
func (q *sequence) lost(sent uint64) uint64 {
	lost := uint64(len(q.missing))
	if sent > q.next {
		lost += sent - q.next
	}
	return lost
}
