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
	ns.retained.Update(m.Topic, func(_ packed, had bool) (packed, bool) {
		keep := len(m.Payload) > 0
		switch {
		case keep && !had:
			ns.system.Add(1)
		case had && !keep:
			ns.system.Add(-1)
		}
		if !keep {
			return packed{}, false
		}
		m.rev = ns.revision.Add(1)
		return pack(m, ""), true
	})
}

// retaining is what a write of a retained message needs beside it.
type retaining struct {
	owner string                  // user that it counts for, "": nobody
	cond  func(old *Message) bool // decides on what it replaces, nil when that is nothing; nil: always
}

// may asks the condition, if there is one, about what is replaced.
func (h *retaining) may(p packed) bool {
	switch {
	case h.cond == nil:
		return true
	case p == packed{}:
		return h.cond(nil)
	}
	return h.cond(p.message())
}

// retain replaces or clears the retained message of m's topic: exactly one a
// topic, the last write wins.
// [MQTT-3.3.1-5] [3: MQTT-3.3.1-5] [3: MQTT-3.3.1-7]
func (ns *Namespace) retain(t *Turn, m *Message, how retaining) Reason {
	if system(m.Topic) {
		ns.retainSystem(m)
		return OK
	}
	reason := OK
	stored := ns.retained.Len() - int(ns.system.Load()) // not inside: Update holds the tree's lock
	ns.retained.Update(m.Topic, func(p packed, had bool) (packed, bool) {
		var old Message
		var owner string
		if had {
			if owner = p.unpack(&old); old.Expired(t.Now) {
				ns.released(&old, owner)
				t.changed(change{kind: retainedChange, ns: ns, text: m.Topic})
				p, had = packed{}, false
			}
		}
		if !how.may(p) {
			reason = Precondition
			return p, had
		}
		if len(m.Payload) == 0 { // [MQTT-3.3.1-6] [MQTT-3.3.1-7] [3: MQTT-3.3.1-10] [3: MQTT-3.3.1-11]
			if had {
				ns.released(&old, owner)
				t.changed(change{kind: retainedChange, ns: ns, text: m.Topic})
			}
			return packed{}, false
		}
		grows := int64(m.Size())
		if had {
			grows -= int64(old.Size())
		}
		if limit, over := ns.exceeds(grows, stored, how.owner, had, had && owner == how.owner); over {
			reason = ns.over(limit)
			return p, had
		}
		if had {
			ns.released(&old, owner)
		}
		ns.retainedBytes.Add(int64(m.Size()))
		ns.retainers.add(how.owner, 1)
		m.rev = ns.revision.Add(1)
		t.changed(change{kind: retainedChange, ns: ns, text: m.Topic})
		return pack(m, how.owner), true
	})
	if reason == OK && m.Expires != 0 && len(m.Payload) > 0 {
		ns.expiresLater(t.Now, m.Expires)
	}
	return reason
}

// released counts a retained message out.
func (ns *Namespace) released(m *Message, owner string) {
	ns.retainedBytes.Add(-int64(m.Size()))
	ns.retainers.add(owner, -1)
}

// exceeds tells which limit refuses a retained message of owner's, with which
// the bytes of all grow by so many. There are stored of them. It may replace one,
// even one of the owner's.
func (ns *Namespace) exceeds(grows int64, stored int, owner string, replaces, own bool) (Limit, bool) {
	l := ns.limits()
	switch {
	case !replaces && stored >= l.Retained, !own && ns.retainers.of(owner) >= l.PrincipalRetained:
		return LimitRetained, true
	case grows > 0 && ns.retainedBytes.Load()+grows > l.RetainedBytes:
		return LimitRetainedBytes, true
	}
	return 0, false
}

// rolesRetain is the limit that a publisher has by its roles.
func (ns *Namespace) rolesRetain(p *Principal, m *Message) Reason {
	who := owner(p)
	if !m.Retain || len(m.Payload) == 0 || who == "" {
		return OK
	}
	if most := ns.r.limitsOf(p).Retained; most > 0 && ns.retainers.of(who) >= most {
		var old Message
		if p, ok := ns.retained.Get(m.Topic); !ok || p.unpack(&old) != who {
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
	if topic.CheckName(name, s.ns.r.topicLimits()) != nil {
		return nil, BadTopic
	}
	if !s.Permits(ActionDeliver, name) {
		return nil, NotAuthorized
	}
	p, ok := s.ns.retained.Get(name)
	if !ok {
		return nil, NotFound
	}
	if m := p.message(); !m.Expired(t.Now) {
		return m, OK
	}
	return nil, NotFound
}

// ScanRetained walks the retained messages that a filter matches, in byte
// order of their topics, visiting at most budget names a call. The next call
// resumes with after = next until done. What may not be read is counted and told
// of, once in a walk.
func (s *Session) ScanRetained(t *Turn, filter, after string, budget int) (msgs []*Message, next string, done bool, reason Reason) {
	if topic.CheckFilter(filter, s.ns.r.topicLimits()) != nil {
		return nil, "", true, BadFilter
	}
	items, next, done := s.ns.retained.Scan(nil, filter, after, budget)
	x := s.more()
	if x.scanned == nil || after == "" || x.scanned.filter != filter {
		x.scanned = &scanned{filter: filter}
	}
	w := s.ns.r.withholding(s.principal, s.st.client)
	for i := range items {
		switch m := items[i].message(); {
		case m.Expired(t.Now):
		case m.Topic <= x.scanned.through:
			if s.ns.r.allows(s.principal, ActionDeliver, m.Topic) {
				msgs = append(msgs, m)
			}
		case w.allows(m):
			msgs = append(msgs, m)
		}
	}
	if n := len(items); n > 0 {
		x.scanned.through = max(x.scanned.through, strings.Clone(items[n-1].Key()))
	}
	w.tell()
	return msgs, next, done, OK
}

// ListRetained is ScanRetained for who reads of the messages only that they are
// there: nobody misses what is left out.
func (s *Session) ListRetained(t *Turn, budget int) (msgs []*Message) {
	items, _, _ := s.ns.retained.Scan(nil, "#", "", budget)
	for i := range items {
		if !s.ns.r.allows(s.principal, ActionDeliver, items[i].Key()) {
			continue
		}
		if m := items[i].message(); !m.Expired(t.Now) {
			msgs = append(msgs, m)
		}
	}
	return msgs
}

// scanned is how far a walk has come that may visit some topics again: what is
// denied is counted once.
type scanned struct{ filter, through string }
