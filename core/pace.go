package core

import "sync"

// paceBurst is how many milliseconds of a rate may be used at once.
const paceBurst = 1000

// pace is what was published against a rate: the instants, in milliseconds, at
// which that much would have been published at the rate.
type pace struct {
	messages, bytes float64
}

// budget is how many messages may come now.
func (p *pace) budget(now Time, rate int) int {
	if rate == 0 {
		return Unbounded
	}
	return max(0, int((float64(now)+paceBurst-max(float64(now), p.messages))*float64(rate)/1000))
}

// spend notes n things and tells when the next may come; 0: at once.
func spend(at *float64, now Time, n, rate int) Time {
	if rate == 0 {
		return 0
	}
	*at = max(*at, float64(now)) + float64(n)*1000/float64(rate)
	if ahead := *at - float64(now); ahead > paceBurst-1000/float64(rate) {
		return now + Time(ahead-paceBurst) + Time(1000/rate) + 1
	}
	return 0
}

func (p *pace) spend(now Time, messages, rate, bytes, bytesRate int) Time {
	return max(spend(&p.messages, now, messages, rate), spend(&p.bytes, now, bytes, bytesRate))
}

// sharedPace is that of a namespace.
type sharedPace struct {
	mu sync.Mutex
	pace
}

// meters finds out whether anybody has a rate.
func (r *Router) meters() {
	on := !r.open.Load() && r.limiter != nil && r.limiter.Metered()
	for _, ns := range r.allNamespaces() {
		q := ns.quota.Load()
		on = on || q.PublishRate > 0 || q.PublishBytesRate > 0
	}
	r.metered.Store(on)
}

// meter bounds how much the turn may take of this publisher.
func (s *Session) meter(t *Turn) {
	t.publisher = s
	t.allowed = min(t.allowed, t.routed+max(1, s.budget(t.Now))-1)
}

// rates are what a publisher may do by its roles, and has done, under the rules
// of a generation.
type rates struct {
	policy uint64
	who    *Principal
	limits PrincipalLimits
	pace   pace
}

// budget is how many messages the session may publish now.
func (s *Session) budget(now Time) int {
	n := Unbounded - 1<<32 // what is added to it does not overflow
	x := s.ownRates()
	if x.limits.PublishRate > 0 {
		n = min(n, x.pace.budget(now, x.limits.PublishRate))
	}
	if q := s.ns.quota.Load(); q.PublishRate > 0 {
		all := &s.ns.pace
		all.mu.Lock()
		n = min(n, all.budget(now, q.PublishRate))
		all.mu.Unlock()
	}
	return n
}

// ownRates are those of who is attached.
func (s *Session) ownRates() *rates {
	policy := s.ns.r.policy.Load()
	switch x := s.more().rates; {
	case x == nil:
		s.extra.rates = &rates{policy: policy, who: s.principal, limits: s.ns.r.limitsOf(s.principal)}
	case x.policy != policy || x.who != s.principal:
		x.policy, x.who, x.limits = policy, s.principal, s.ns.r.limitsOf(s.principal)
	}
	return s.extra.rates
}

// Published tells how much the connection has sent since Allow: so many
// publishes in so many bytes. It is read no further before until, 0 for at once:
// a rate of the publisher's roles or of its namespace would be exceeded.
func (t *Turn) Published(messages, bytes int) (until Time) {
	s := t.publisher
	if t.publisher = nil; s == nil || messages == 0 {
		return 0
	}
	if until = s.spend(t.Now, messages, bytes); until > t.Now {
		s.ns.over(LimitPublishRate)
	}
	return until
}

func (s *Session) spend(now Time, messages, bytes int) (until Time) {
	own := s.ownRates()
	until = own.pace.spend(now, messages, own.limits.PublishRate, bytes, own.limits.PublishBytesRate)
	if q := s.ns.quota.Load(); q.PublishRate > 0 || q.PublishBytesRate > 0 {
		x := &s.ns.pace
		x.mu.Lock()
		until = max(until, x.spend(now, messages, q.PublishRate, bytes, q.PublishBytesRate))
		x.mu.Unlock()
	}
	return until
}

// Hurries is for peers whose reading cannot be paused: it tells that a publish
// of so many bytes would exceed a rate, and notes it where it does not.
func (s *Session) Hurries(t *Turn, bytes int) bool {
	if !s.ns.r.metered.Load() {
		return false
	}
	if s.budget(t.Now) < 1 || s.bytesAhead(t.Now) {
		s.ns.over(LimitPublishRate)
		return true
	}
	s.spend(t.Now, 1, bytes)
	return false
}

// bytesAhead tells that more bytes have come than a rate of bytes lets through.
func (s *Session) bytesAhead(now Time) bool {
	if own := s.ownRates(); own.limits.PublishBytesRate > 0 && own.pace.bytes >= float64(now)+paceBurst {
		return true
	}
	x := &s.ns.pace
	x.mu.Lock()
	defer x.mu.Unlock()
	return s.ns.quota.Load().PublishBytesRate > 0 && x.bytes >= float64(now)+paceBurst
}
