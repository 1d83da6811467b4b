package core

import (
	"strings"

	"github.com/entrepot/entrepot/core/topic"
)

// systemPrefix begins the topics of the gateway itself.
const systemPrefix = "$SYS/"

// system tells that a topic is the gateway's own. What is retained there says
// how things are now: it is kept in memory only, and counts for no limit.
func system(name string) bool { return strings.HasPrefix(name, systemPrefix) }

func (ns *Namespace) retainSystem(m *Message) {
	ns.retained.Update(m.Topic, func(_ *Message, had bool) (*Message, bool) {
		keep := len(m.Payload) > 0
		switch {
		case keep && !had:
			ns.system.Add(1)
		case had && !keep:
			ns.system.Add(-1)
		}
		if !keep {
			return nil, false
		}
		m.rev = ns.revision.Add(1)
		return m, true
	})
}

// retain replaces or clears the retained message of m's topic: exactly one a
// topic, the last write wins.
// [MQTT-3.3.1-5] [3: MQTT-3.3.1-5] [3: MQTT-3.3.1-7]
func (ns *Namespace) retain(t *Turn, m *Message, cond func(old *Message) bool) Reason {
	if system(m.Topic) {
		ns.retainSystem(m)
		return OK
	}
	reason := OK
	stored := ns.retained.Len() - int(ns.system.Load()) // not inside: Update holds the tree's lock
	ns.retained.Update(m.Topic, func(old *Message, had bool) (*Message, bool) {
		if had && old.Expired(t.Now) {
			ns.retainedBytes.Add(-int64(old.Size()))
			ns.retainers.add(old.owner, -1)
			t.changed(change{kind: retainedChange, ns: ns, text: m.Topic})
			old, had = nil, false
		}
		if cond != nil && !cond(old) {
			reason = Precondition
			return old, had
		}
		grows := int64(0)
		if had {
			grows -= int64(old.Size())
		}
		if len(m.Payload) == 0 { // [MQTT-3.3.1-6] [MQTT-3.3.1-7] [3: MQTT-3.3.1-10] [3: MQTT-3.3.1-11]
			ns.retainedBytes.Add(grows)
			if had {
				ns.retainers.add(old.owner, -1)
				t.changed(change{kind: retainedChange, ns: ns, text: m.Topic})
			}
			return nil, false
		}
		grows += int64(m.Size())
		if limit, over := ns.exceeds(grows, had, stored, m, old); over {
			reason = ns.over(limit)
			return old, had
		}
		ns.retainedBytes.Add(grows)
		if had {
			ns.retainers.add(old.owner, -1)
		}
		ns.retainers.add(m.owner, 1)
		m.rev = ns.revision.Add(1)
		t.changed(change{kind: retainedChange, ns: ns, text: m.Topic})
		return m, true
	})
	if reason == OK && m.Expires != 0 && len(m.Payload) > 0 {
		ns.expiresLater(t.Now, m.Expires)
	}
	return reason
}

// exceeds tells which limit refuses a retained message that takes the place of
// old, which may be nil.
func (ns *Namespace) exceeds(grows int64, replaces bool, stored int, m, old *Message) (Limit, bool) {
	l := ns.limits()
	switch {
	case !replaces && stored >= l.Retained, !ns.ownsMore(m, old, l.PrincipalRetained):
		return LimitRetained, true
	case grows > 0 && ns.retainedBytes.Load()+grows > l.RetainedBytes:
		return LimitRetainedBytes, true
	}
	return 0, false
}

// ownsMore tells whether m's publisher may have one more retained message, of so
// many, unless the one that it replaces, which may be nil, is its own.
func (ns *Namespace) ownsMore(m, old *Message, most int) bool {
	return old != nil && old.owner == m.owner || ns.retainers.of(m.owner) < most
}

// rolesRetain is the limit that a publisher has by its roles.
func (ns *Namespace) rolesRetain(p *Principal, m *Message) Reason {
	if !m.Retain || len(m.Payload) == 0 || m.owner == "" {
		return OK
	}
	if most := ns.r.limitsOf(p).Retained; most > 0 {
		old, _ := ns.retained.Get(m.Topic)
		if !ns.ownsMore(m, old, most) {
			return ns.over(LimitRetained)
		}
	}
	return OK
}

// Revision grows with each retained write of the namespace; 0 for a message
// that was never retained.
func (m *Message) Revision() uint64 { return m.rev }

// Retained is the retained message of a topic. NotFound, NotAuthorized and
// BadTopic refuse.
func (s *Session) Retained(t *Turn, name string) (*Message, Reason) {
	if topic.CheckName(name, s.r.topicLimits()) != nil {
		return nil, BadTopic
	}
	if !s.Permits(ActionDeliver, name) {
		return nil, NotAuthorized
	}
	m, ok := s.ns.retained.Get(name)
	if !ok || m.Expired(t.Now) {
		return nil, NotFound
	}
	return m, OK
}

// ScanRetained walks the retained messages that a filter matches, in byte
// order of their topics, visiting at most budget names a call. The next call
// resumes with after = next until done. What may not be read is counted and told
// of, once in a walk.
func (s *Session) ScanRetained(t *Turn, filter, after string, budget int) (msgs []*Message, next string, done bool, reason Reason) {
	if topic.CheckFilter(filter, s.r.topicLimits()) != nil {
		return nil, "", true, BadFilter
	}
	items, next, done := s.ns.retained.Scan(nil, filter, after, budget)
	x := s.more()
	if x.scanned == nil || after == "" || x.scanned.filter != filter {
		x.scanned = &scanned{filter: filter}
	}
	w := s.r.withholding(s.principal, s.st.client)
	for i := range items {
		switch m := items[i].Value; {
		case m.Expired(t.Now):
		case items[i].Name <= x.scanned.through:
			if s.r.allows(s.principal, ActionDeliver, m.Topic) {
				msgs = append(msgs, m)
			}
		case w.allows(m):
			msgs = append(msgs, m)
		}
	}
	if n := len(items); n > 0 {
		x.scanned.through = max(x.scanned.through, items[n-1].Name)
	}
	w.tell()
	return msgs, next, done, OK
}

// ListRetained is ScanRetained for who reads of the messages only that they are
// there: nobody misses what is left out.
func (s *Session) ListRetained(t *Turn, budget int) (msgs []*Message) {
	items, _, _ := s.ns.retained.Scan(nil, "#", "", budget)
	for i := range items {
		if m := items[i].Value; !m.Expired(t.Now) && s.r.allows(s.principal, ActionDeliver, m.Topic) {
			msgs = append(msgs, m)
		}
	}
	return msgs
}

// scanned is how far a walk has come that may visit some topics again: what is
// denied is counted once.
type scanned struct{ filter, through string }
