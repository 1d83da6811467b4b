package stomp

import (
	"slices"

	"github.com/entrepot/entrepot/core"
)

// ackMode is how the deliveries of a subscription are settled (ST50).
type ackMode uint8

const (
	ackAuto ackMode = iota
	ackClient
	ackIndividual
)

// subscription is one SUBSCRIBE of a connection.
type subscription struct {
	key      string // "T_" and the id, or in 1.0 "Q_" and the destination: it begins the message ids
	id       string // "" in 1.0 without id
	dest     destination
	mode     ackMode
	window   int
	consumer *core.Consumer
	durable  string // queue of a durable topic subscription; "" for others

	lead      []byte // what a MESSAGE with lastTopic begins with, as written
	fixed     int    // how much of lead is for every topic: MESSAGE line and subscription header
	lastTopic []byte
	idHead    []byte // message id up to the number, as written

	unacked []unacked // ascending by n; settled ones go when they come first
	first   int       // index of the first that is not settled
	out     int       // unsettled
	blocked bool      // the window is full
	listed  bool      // in subscriptions.stalled
	held    bool      // until the RECEIPT of its SUBSCRIBE is written
	ended   bool      // after UNSUBSCRIBE
}

// unacked is one delivery on its way: n numbers the connection's deliveries,
// seq those of the core's queue.
type unacked struct {
	n, seq  uint64
	settled bool
	marked  bool // in an open transaction
}

func (s *subscription) sent(n, seq uint64) {
	s.unacked = append(s.unacked, unacked{n: n, seq: seq})
	s.out++
}

// find is the index of delivery n if it can be settled, else -1.
func (s *subscription) find(n uint64) int {
	live := s.unacked[s.first:]
	i, ok := slices.BinarySearchFunc(live, n, func(u unacked, n uint64) int {
		switch {
		case u.n < n:
			return -1
		case u.n > n:
			return 1
		}
		return 0
	})
	if !ok || live[i].settled {
		return -1
	}
	return s.first + i
}

// free tells whether delivery n waits for its end, outside any transaction.
func (s *subscription) free(n uint64) bool {
	i := s.find(n)
	return i >= 0 && !s.unacked[i].marked
}

func (s *subscription) mark(n uint64) {
	if i := s.find(n); i >= 0 {
		s.unacked[i].marked = true
	}
}

func (s *subscription) unmark(n uint64) {
	if i := s.find(n); i >= 0 {
		s.unacked[i].marked = false
	}
}

// upTo appends delivery n and the earlier ones that are free.
func (s *subscription) upTo(list []settlement, n uint64) []settlement {
	for _, u := range s.unacked[s.first:] {
		if u.n > n {
			break
		}
		if !u.settled && !u.marked {
			list = append(list, settlement{s, u.n})
		}
	}
	return list
}

// take ends delivery n and returns its sequence number in the core.
func (s *subscription) take(n uint64) (seq uint64, ok bool) {
	i := s.find(n)
	if i < 0 {
		return 0, false
	}
	s.unacked[i].settled = true
	seq = s.unacked[i].seq
	s.out--
	for s.first < len(s.unacked) && s.unacked[s.first].settled {
		s.first++
	}
	switch {
	case s.first == len(s.unacked):
		s.unacked, s.first = s.unacked[:0], 0
		if cap(s.unacked) > 1024 {
			s.unacked = nil
		}
	case s.first > 64 && s.first > len(s.unacked)/2:
		s.unacked = append(s.unacked[:0], s.unacked[s.first:]...)
		s.first = 0
	}
	return seq, true
}

// subscriptions are all of a connection.
type subscriptions struct {
	byKey   map[string]*subscription
	over    []*subscription // ended, with deliveries that may still be settled (ST53)
	stalled []*subscription // to be served when there is room
	starved []*subscription // blocked by the limit of the whole connection
	unacked int             // deliveries not settled, of all that have not ended
	late    int             // and of those that have
	n       uint64          // number of the last delivery
	buf     []settlement
}

func (s *subscriptions) add(sub *subscription) {
	if s.byKey == nil {
		s.byKey = map[string]*subscription{}
	}
	s.byKey[sub.key] = sub
}

// end takes a subscription off the list; its deliveries stay settleable, at
// most limit of those of all that ended.
func (s *subscriptions) end(sub *subscription, limit int) {
	delete(s.byKey, sub.key)
	sub.ended = true
	s.unacked -= sub.out
	if sub.out > 0 {
		s.over = append(s.over, sub)
		s.late += sub.out
	}
	for s.late > limit { // who never settles them loses the right to
		s.late -= s.over[0].out
		s.over = s.over[1:]
	}
	s.feed()
}

// holding finds the subscription with that tag which has delivery n.
func (s *subscriptions) holding(tag []byte, n uint64) *subscription {
	if sub := s.byKey[string(tag)]; sub != nil && sub.free(n) {
		return sub
	}
	for _, sub := range s.over {
		if sub.key == string(tag) && sub.free(n) {
			return sub
		}
	}
	return nil
}

// each calls fn with every subscription that can have deliveries.
func (s *subscriptions) each(fn func(*subscription)) {
	for _, sub := range s.byKey {
		fn(sub)
	}
	for _, sub := range s.over {
		fn(sub)
	}
}

// serve notes that the subscription may have something to send.
func (s *subscriptions) serve(sub *subscription) {
	if !sub.listed && !sub.ended && !sub.held {
		sub.listed = true
		s.stalled = append(s.stalled, sub)
	}
}

// freed is called after a delivery of sub was settled.
func (s *subscriptions) freed(sub *subscription) {
	if sub.ended && sub.out == 0 {
		s.over = slices.DeleteFunc(s.over, func(x *subscription) bool { return x == sub })
	}
	if sub.ended {
		s.late--
	} else {
		s.unacked--
	}
	if sub.blocked {
		sub.blocked = false
		s.serve(sub)
	}
	s.feed()
}

// feed serves those that waited for room in the whole connection.
func (s *subscriptions) feed() {
	for _, other := range s.starved {
		other.blocked = false
		s.serve(other)
	}
	s.starved = s.starved[:0]
}

// next takes the first subscription that is to be served.
func (s *subscriptions) next() *subscription {
	for len(s.stalled) > 0 {
		sub := s.stalled[0]
		s.stalled[0] = nil
		if s.stalled = s.stalled[1:]; len(s.stalled) == 0 {
			s.stalled = nil
		}
		sub.listed = false
		if !sub.ended {
			return sub
		}
	}
	return nil
}
