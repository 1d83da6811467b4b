package core

func (r *Router) checkWill(p *Principal, client string, w *Will) Reason {
	if w == nil {
		return OK
	}
	name := w.Message.Topic
	if reason := r.checkTopic(name); reason != OK {
		return reason
	}
	if reserved(name) {
		r.denied(p, client, ActionWill, name)
		return NotAuthorized
	}
	if !r.permits(p, client, ActionWill, name) || !r.permits(p, client, ActionPublish, name) {
		return NotAuthorized
	}
	return OK
}

// takeWill decides about the will at the end of a connection: it returns what
// is to be published now, or schedules it in st.willAt. next is what the
// attachment that waits has brought; nil: none. st.mu is held.
// [MQTT-3.1.2-10] [3: MQTT-3.1.2-10]
func (st *session) takeWill(t *Turn, reason Reason, next *Client) *Will {
	w := st.will
	if w == nil {
		return nil
	}
	if reason == Normal {
		st.will = nil
		st.counts(w).Cancelled.Add(1)
		return nil
	}
	if st.ns.r.stopping.Load() {
		if !st.durable {
			st.will = nil
			st.counts(w).Expired.Add(1)
			return nil
		}
		st.delayWill(t.Now.After(min(w.Delay, st.expiry)))
		return nil // after the next start
	}
	if w.Delay == 0 || st.outlives() == 0 || (next != nil && next.Clean) {
		st.will = nil
		return w
	}
	if next != nil { // back before the delay is over: not published [MQTT-3.1.3-9]
		st.will = nil
		st.counts(w).Cancelled.Add(1)
		return nil
	}
	st.delayWill(t.Now.After(min(w.Delay, st.expiry)))
	return nil
}

// dueWill takes a delayed will whose client stayed away. st.mu is held.
func (st *session) dueWill(t *Turn) *Will {
	if st.current != nil || st.willAt == 0 || t.Now < st.willAt || st.ns.r.stopping.Load() {
		return nil
	}
	w := st.will
	st.undelayWill()
	st.will = nil
	if st.durable {
		t.changed(change{kind: sessionChange, st: st})
	}
	return w
}

// publishWill sends a will like any publish, with the rights of now.
func (st *session) publishWill(t *Turn, w *Will) {
	r := st.ns.r
	if r.checkWill(st.principal.Load(), st.client, w) != OK {
		r.drop(DropDenied)
		st.counts(w).Denied.Add(1)
		return
	}
	st.counts(w).Published.Add(1)
	m := w.Message
	if w.Expiry > 0 {
		m.Expires = t.Now.After(w.Expiry)
	}
	m.From = st.id
	if st.ns.rolesRetain(st.principal.Load(), m) != OK {
		r.drop(DropQueueFull)
		return
	}
	st.ns.publish(t, m, owner(st.principal.Load()))
}
