package core

// Unfinished calls f for each delivery of QoS 1 or 2 that an attachment before
// this one was given and did not settle: what Take gives again before anything
// new. A room that gave them numbers keeps those numbers free for them. The
// Delivery has no message. What shared queues have is not among it: others may
// take it instead, and what they gave for good is in the session's own queue.
func (s *Session) Unfinished(f func(d Delivery)) {
	if s.inbox == nil {
		return
	}
	c, q := s.inbox, s.inbox.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	lists := [][]uint64{q.returned}
	if q.side != nil {
		lists = append(lists, q.side.back)
	}
	for _, seqs := range lists {
		for _, seq := range seqs {
			if e := q.entry(seq); e != nil && e.attempts > 0 && e.qos > 0 {
				f(Delivery{Consumer: c, Seq: seq, Tag: e.tag, Attempt: e.attempts, QoS: e.qos, Stored: seq&laneBit != 0, Received: e.state == received})
			}
		}
	}
}

// Upcoming is about where the numbers go on (Delivery.Seq) of what was not
// taken yet from the session's own queue.
func (s *Session) Upcoming() uint64 {
	if s.inbox == nil {
		return 0
	}
	q := s.inbox.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next
}
