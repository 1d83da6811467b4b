package core

// Turn is one pass of an event loop, or of a goroutine that stands for one.
// It carries the time, the loop that runs it, the writes that must become
// durable and the loops that are to be notified at its end. A turn belongs to
// one goroutine; loops keep one and reuse it.
type Turn struct {
	// Now is the time of the pass. Set by Begin.
	Now Time
	// Owner is the loop whose pass this is; a sink compares it with its own
	// loop to learn whether it may mark its connection directly. nil for turns
	// outside of any loop.
	Owner any

	router    *Router
	carrier   Carrier    // Owner, if it is one
	over      Delivery   // what is handed to it
	pressure  uint32     // of the router at Begin
	routed    int        // publishes since Allow
	allowed   int        // of them, before the loop stops reading
	publisher *Session   // who has a rate and published since Allow
	work      *work      // what the pass submits; nil while there is nothing
	kicks     []Kicker   // loops to notify, each once
	match     []*binding // scratch of Route
	rest      []*target  // scratch of PublishRun
	rings     rings
	dead      []deadLetter
	tally     tally
	sampler   sampler
	spare     [classes][]*Message // to be used again
	holders   []holder            // the entries of the message that is being shared
	items     []packed            // scratch of retained walks
	unpacked  unpacked            // and room for them
	walked    walkedRoom          // and for those in flight
	spares    []any               // what Borrow takes
}

// Kicker is a loop that sleeps until it is told that something waits for it.
// Kick may be called from any goroutine and does not block.
type Kicker interface{ Kick() }

// NewTurn makes a turn for a loop. owner may be nil, or a Carrier.
func (r *Router) NewTurn(owner any) *Turn {
	carrier, _ := owner.(Carrier)
	return &Turn{router: r, Owner: owner, carrier: carrier, Now: r.clock.Now(), pressure: r.pressure.Load(), allowed: Unbounded}
}

// Clock is the router's.
func (t *Turn) Clock() *Clock { return t.router.clock }

// refresh makes the turn's time that of the clock where a message expires: its
// publisher may have looked later, and it would have longer to live than it was
// given. [MQTT-3.3.2-6]
func (t *Turn) refresh(m *Message) {
	if m.Expires != 0 {
		t.Now = t.router.clock.Now()
	}
}

// Begin starts a pass.
func (t *Turn) Begin() {
	t.Now = t.router.clock.Now()
	t.pressure = t.router.pressure.Load()
	t.publisher = nil
	t.sampler.begins(t.Now)
	t.unpacked.forget()
}

// KickAtEnd notifies k when the turn ends. With a nil turn it does so at once.
func (t *Turn) KickAtEnd(k Kicker) {
	if t == nil {
		k.Kick()
		return
	}
	for _, have := range t.kicks {
		if have == k {
			return
		}
	}
	t.kicks = append(t.kicks, k)
}

// End submits what the pass must make durable and notifies the loops that it
// woke. The turn can be used again after Begin. submitted tells that the commit
// goroutine has something to do, so that a loop does not keep its processor
// from it.
func (t *Turn) End() (submitted bool) {
	t.bury()
	t.Counted()
	if submitted = t.work != nil; submitted {
		t.router.commit.submit(t.work)
		t.work = nil
	}
	for i, k := range t.kicks {
		k.Kick()
		t.kicks[i] = nil
	}
	t.kicks = t.kicks[:0]
	return submitted
}

// forgetItems lets go of what a walk has found.
func (t *Turn) forgetItems() {
	clear(t.items[:cap(t.items)])
	t.items, t.walked = t.items[:0], nil
}
