package listen

// Rests is how many connections have more than an idle one has.
func (s *Server) Rests() (n int) {
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	for _, l := range loops {
		counted := make(chan int)
		l.call(func(l *loop) {
			n := 0
			for _, x := range l.streams.at {
				if x != nil && x.rest != nil {
					n++
				}
			}
			counted <- n
		})
		n += <-counted
	}
	return n
}
