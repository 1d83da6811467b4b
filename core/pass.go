package core

// PassOn says that the connection cannot take, because its peer does not read:
// what its consumers were woken for in shared queues goes to others that can.
// What waits in them the room takes as ever when the peer reads again.
func (s *Session) PassOn(t *Turn) {
	if !s.isServed() {
		return
	}
	var woken []*Consumer
	pass := func(c *Consumer) {
		q := c.queue
		q.mu.Lock()
		defer q.mu.Unlock()
		if !c.isOwed || len(q.consumers) < 2 && !q.countsReady() {
			return
		}
		c.isOwed = false
		q.owed--
		q.shorten(t)
		if next := q.wakeNext(); next != nil {
			woken = append(woken, next)
		}
	}
	st := s.st
	st.mu.Lock()
	for _, c := range st.shared() {
		pass(c)
	}
	st.mu.Unlock()
	for _, c := range s.consumers() {
		pass(c)
	}
	notifyAll(t, woken)
}
