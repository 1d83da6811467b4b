package core

// Unfinished calls f for each delivery of QoS 1 or 2 that an attachment before
// this one was given and did not settle: what Take gives again before anything
// new. A room that gave them numbers keeps those numbers free for them. The
// Delivery has no message.
func (s *Session) Unfinished(f func(d Delivery)) {
	st := s.st
	st.mu.Lock()
	defer st.mu.Unlock()
	s.inbox.unfinished(f)
	for _, c := range st.shared {
		c.unfinished(f)
	}
}

func (c *Consumer) unfinished(f func(d Delivery)) {
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	tell := func(seqs []uint64) {
		for _, seq := range seqs {
			if e := q.entry(seq); e != nil && e.attempts > 0 && e.qos > 0 {
				f(Delivery{Consumer: c, Seq: seq, Tag: e.tag, Attempt: e.attempts, QoS: e.qos, Stored: seq&laneBit != 0, Received: e.state == received})
			}
		}
	}
	if q.kind == sessionQueue { // what others may take instead is nobody's
		tell(q.returned)
		tell(q.sideBack)
	}
	tell(c.kept)
}
