package core

import "time"

// MaxRun is how many messages a Run holds.
const MaxRun = 64

// A Run is messages of QoS 0 that one publisher sent one behind the other to
// one topic, and that say nothing but their payloads. They are lent like a
// Lent, all of them by one PublishRun.
type Run struct {
	lent   Lent // the message that At has made last
	topic  string
	origin string
	wire   frame // the encoded forms, one behind the other
	n      int
	bytes  int // of the payloads
	most   int // bytes of the longest encoded form
	parts  [MaxRun]part
	by     uint64
	shared bool

	accepted time.Duration // the first message, if timed
	timed    bool
}

// part is one message of a run.
type part struct {
	payload []byte
	from    int // its encoded form
	to      int
}

// Begin empties the run, for messages of that topic and origin.
func (r *Run) Begin(topic, origin string) {
	r.topic, r.origin, r.wire, r.n, r.bytes, r.most, r.timed = topic, origin, frame{}, 0, 0, 0, false
}

// Add appends a message, of which there may be MaxRun. Its encoded form has so
// many bytes.
func (r *Run) Add(payload []byte, encoded int) {
	from := 0
	if r.n > 0 {
		from = r.parts[r.n-1].to
	}
	r.parts[r.n] = part{payload, from, from + encoded}
	r.n++
	r.bytes += len(payload)
	r.most = max(r.most, encoded)
}

// Encoded lends the encoded forms, one behind the other, under a key that is
// not 0.
func (r *Run) Encoded(key uint32, data []byte) { r.wire.key, r.wire.data = key, data }

// End lets go of what was lent.
func (r *Run) End() {
	clear(r.parts[:r.n])
	r.lent.Lend(nil)
	r.wire, r.n = frame{}, 0
}

// Origin is the protocol that all of it came by.
func (r *Run) Origin() string { return r.origin }

// Len is how many messages there are.
func (r *Run) Len() int { return r.n }

// Bytes is the sum of their payloads.
func (r *Run) Bytes() int { return r.bytes }

// Longest is the size of the longest encoded form.
func (r *Run) Longest() int { return r.most }

// Frames is what was lent by Encoded under the key, nil when it was another.
func (r *Run) Frames(key uint32) []byte {
	if key != r.wire.key {
		return nil
	}
	return r.wire.data
}

// Payload is that of one message.
func (r *Run) Payload(i int) []byte { return r.parts[i].payload }

// At is a message of the run, lent until the next At.
func (r *Run) At(i int) *Message {
	x := &r.parts[i]
	m := r.lent.Lend(x.payload)
	m.Topic, m.Origin, m.From, m.shared = r.topic, r.origin, r.by, r.shared
	if r.wire.key != 0 {
		r.lent.Encoded(r.wire.key, r.wire.data[x.from:x.to:x.to])
	}
	if i == 0 && r.timed {
		m.accepted(r.accepted)
	}
	return m
}

// PublishRun is Publish for each message of a run, to whose topic mt leads.
// false: they are to be published one by one, nothing was done.
func (s *Session) PublishRun(t *Turn, mt *Match, r *Run) bool {
	if t.carrier == nil || s.ns.r.hook != nil || mt.abroad != nil || mt.direct {
		return false
	}
	refuses := false
	for i := range mt.targets {
		refuses = refuses || mt.targets[i].q.rejects()
	}
	r.by, r.shared = s.st.id, len(mt.targets) > 1
	sampler := t.sampler
	if r.timed = t.sampler.counts(r.n, t.Now); r.timed {
		r.accepted = t.router.clock.Elapsed()
	}
	if refuses { // before anybody gets a message: unless it takes all at once, it is asked for each
		if r.shared || s.ns.totals.on.Load() || !mt.targets[0].q.passRun(t, r, &mt.targets[0]) {
			t.sampler, r.timed = sampler, false // each counts
			return false
		}
		s.passed(t, r)
		return true
	}
	rest := t.rest[:0]
	for i := range mt.targets { // [MQTT-4.5.0-1] [3: MQTT-4.5.0-1]
		if !mt.targets[i].q.passRun(t, r, &mt.targets[i]) {
			rest = append(rest, &mt.targets[i])
		}
	}
	if len(rest) > 0 {
		s.publishEach(t, r, rest, len(rest) < len(mt.targets))
	}
	clear(rest)
	t.rest = rest
	s.passed(t, r)
	return true
}

// passed counts the publishes of a run. None of them waits for the store.
func (s *Session) passed(t *Turn, r *Run) {
	s.seq += uint64(r.n) - 1
	s.advance(t, false)
}

// publishEach gives each message to those that did not take the run; reached
// tells that others have.
func (s *Session) publishEach(t *Turn, r *Run, rest []*target, reached bool) {
	for i := range r.n {
		m, some := r.At(i), reached
		for _, tg := range rest {
			if tg.q.passOver(t, m, tg) {
				some = true
				continue
			}
			m = m.kept()
			some = tg.q.push(t, m, tg) || some
		}
		if !some {
			s.ns.r.drop(DropNoReceiver)
		}
	}
}

// passRun is passOver for the messages of a run.
func (q *Queue) passRun(t *Turn, r *Run, tg *target) bool {
	m := r.At(0)
	q.mu.Lock()
	c := q.hungry(t, m, tg)
	if c == nil || q.head != q.tail {
		q.mu.Unlock()
		return false
	}
	to, ids, seq, end := c.session.sink, c.ids, q.tail, q.tail+uint64(r.n)
	q.head, q.next, q.tail = end, end, end
	q.mu.Unlock()
	if t.carrier.DeliverRun(t, to, t.handOver(m, c, seq, tg, ids), r) {
		return true
	}
	q.unnumber(seq, end)
	return false
}

// Left is how many more publishes Pressed lets through.
func (t *Turn) Left() int { return t.allowed - t.routed }

// Publishes counts publishes of a run, whose first one Route has counted.
func (t *Turn) Publishes(n int) { t.routed += n }

// DeniedToo tells of so many more publishes to the topic that the last Route
// has refused as NotAuthorized.
func (s *Session) DeniedToo(n int) {
	if n > 0 {
		s.ns.r.deniedAll(s.principal, s.ClientID(), ActionPublish, s.match.topic, n)
	}
}
