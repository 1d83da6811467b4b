package core

// consumerList is consumers in the order of their coming.
type consumerList struct {
	all []*Consumer
	at  int // all[:at] has been taken
}

// next takes the first, nil when there is none.
func (l *consumerList) next() *Consumer {
	if l.at == len(l.all) {
		return nil
	}
	c := l.all[l.at]
	l.all[l.at] = nil
	if l.at++; l.at == len(l.all) {
		l.all, l.at = l.all[:0], 0
		if cap(l.all) > 8 {
			l.all = nil
		}
	}
	return c
}

func (s *Session) listReady(c *Consumer) {
	s.readyMu.Lock()
	defer s.readyMu.Unlock()
	if c.listed.Load() == s {
		return
	}
	c.listed.Store(s)
	if s.ready == nil {
		s.ready = c
		return
	}
	x := s.some()
	if x.behind == nil {
		x.behind = new(consumerList)
	}
	x.behind.all = append(x.behind.all, c)
}

// NextReady is the next consumer that is owed a Take, nil when there is none.
func (s *Session) NextReady() *Consumer {
	s.readyMu.Lock()
	defer s.readyMu.Unlock()
	c := s.ready
	if c == nil {
		return nil
	}
	s.ready = nil
	if x := s.rare.Load(); x != nil && x.behind != nil {
		s.ready = x.behind.next()
	}
	c.listed.CompareAndSwap(s, nil)
	return c
}
