package core

// schedule sees to it that wake runs when the will or the end is due. st.mu
// is held.
func (st *session) schedule() {
	at := st.ends
	if st.willAt != 0 && st.willAt < at && !st.ns.r.stopping.Load() {
		at = st.willAt
	}
	if at == 0 {
		return
	}
	if st.alarm.what == nil { // else it may be looked at
		st.alarm.what = st
	}
	st.ns.r.timers.sooner(&st.alarm, at)
}

// wake publishes a due will, and ends the session when its time without a
// connection is over.
func (st *session) wake(t *Turn) {
	ns := st.ns
	ns.mu.Lock()
	st.mu.Lock()
	var will *Will
	away := !st.ended && st.current == nil           // [MQTT-4.1.0-1] [3: MQTT-4.1.0-2]
	ends := away && st.ends != 0 && t.Now >= st.ends // [MQTT-4.1.0-2]
	if ends {
		st.ended = true
		ns.remove(st)
	} else if away {
		will = st.dueWill(t)
		st.schedule()
	}
	st.mu.Unlock()
	ns.mu.Unlock()
	if will != nil {
		st.publishWill(t, will)
	}
	if ends {
		ns.r.expired.Add(1)
		st.tellExpired()
		st.finish(t, true)
	}
}

// tellExpired writes the line of a session whose time was over. Very many can be
// at once, after a restart.
func (st *session) tellExpired() {
	r := st.ns.r
	if r.sparing == nil || r.sparing.Holds("session.expired", 1) == 0 {
		r.log.Info("session.expired", "namespace", st.ns.name, "user", st.principal.Load().User, "client", st.client)
	}
}

// finish releases what an ended session held. withWill publishes a will that
// is still scheduled: the session's end is its latest time.
// Retained messages stay. [3: MQTT-3.1.2-7]
func (st *session) finish(t *Turn, withWill bool) {
	st.mu.Lock()
	var will *Will
	if st.undelayWill() && withWill {
		will = st.will
	}
	st.will = nil
	subs, shared, inbox := st.subs, st.shared(), st.inbox
	st.subs = filters{}
	if shared != nil {
		st.extra.shared = nil
	}
	durable, timed := st.durable, st.lasting != nil && st.alarm.what != nil
	st.mu.Unlock()
	if timed {
		st.ns.r.timers.cancel(&st.alarm)
	}
	for b := range subs.all() {
		st.ns.index.Remove(b.sub.Filter, b)
	}
	for _, c := range shared {
		st.ns.leave(t, c)
	}
	if inbox != nil {
		inbox.close(t)
	}
	if durable {
		t.changed(change{kind: sessionChange, st: st})
	}
	if will != nil {
		st.publishWill(t, will)
	}
}

// finishAlone ends a transient session with its only attachment.
func (st *session) finishAlone(t *Turn, s *Session, reason Reason) {
	st.mu.Lock()
	will := st.takeWill(t, reason, nil)
	st.current, st.ended = nil, true
	st.mu.Unlock()
	if will != nil {
		st.publishWill(t, will)
	}
	st.finish(t, false)
}
