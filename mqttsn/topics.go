package mqttsn

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/entrepot/entrepot/core/topic"
)

const (
	maxPredefined = 1024              // ids 1..1024 are predefined topics
	firstID       = maxPredefined + 1 // of the ids that we give
	lastID        = 0xFFFE
)

// topics is the topic-id registry of one client: ids that are neither 0000
// nor FFFF nor predefined, each for one name.
//
// It is a small slice in order of use, oldest first, because a client has a
// handful of topics and there are many clients.
type topics struct {
	list []registered
	next uint16 // the id that was given last
}

type registered struct {
	name string
	id   uint16
	own  bool // asked for by the client, who may publish to it: never recycled
	told bool // the client knows the id in this connection
}

// byID is the name of an id.
func (t *topics) byID(id uint16) (name string, ok bool) {
	for i := len(t.list) - 1; i >= 0; i-- {
		if t.list[i].id == id {
			return t.list[i].name, true
		}
	}
	return "", false
}

// find is the entry of a name, nil when there is none; valid until the next add.
func (t *topics) find(name string) *registered {
	for i := len(t.list) - 1; i >= 0; i-- {
		if t.list[i].name == name {
			return &t.list[i]
		}
	}
	return nil
}

// add gives name an id, the one it has if it has one. own says that the
// client asked for it. When limit names have one, the oldest that the client
// did not ask for goes; ok is false when it asked for them all.
func (t *topics) add(name string, own bool, limit int) (r *registered, ok bool) {
	if r := t.find(name); r != nil {
		r.own = r.own || own
		return r, true
	}
	for len(t.list) >= limit {
		i := slices.IndexFunc(t.list, func(r registered) bool { return !r.own })
		if i < 0 {
			return nil, false
		}
		t.list = slices.Delete(t.list, i, i+1)
	}
	t.list = append(t.list, registered{name: name, id: t.fresh(), own: own})
	return &t.list[len(t.list)-1], true
}

// recycle gives a name the oldest id, although the client asked for that one:
// a topic that it subscribed to by a wildcard must not starve.
func (t *topics) recycle(name string) *registered {
	t.list = append(t.list[1:], registered{name: name, id: t.fresh()})
	return &t.list[len(t.list)-1]
}

// fresh is an id that is not in use; an id that was dropped is used again
// last, so that a client that still has it in mind is told that it is unknown.
func (t *topics) fresh() uint16 {
	for {
		if t.next++; t.next < firstID || t.next > lastID {
			t.next = firstID
		}
		if _, taken := t.byID(t.next); !taken {
			return t.next
		}
	}
}

// reconnect makes every id unknown to the client until it is registered anew
// or the client names it.
func (t *topics) reconnect() {
	for i := range t.list {
		t.list[i].told = false
	}
}

// validName tells whether a topic can be published to: the core's rules, so
// that nothing gets an id that no publish can use.
func validName(name []byte) bool { return topic.CheckName(name, topic.Limits{}) == nil }

// predefined are topic ids that gateway and client know without registering.
type predefined struct {
	names map[uint16]string
	ids   map[string]uint16
}

// patternsFor are the keys of predefined_clients that match a client id, the
// longest, which wins, last.
func (c *Config) patternsFor(clientID string) []string {
	var patterns []string
	for pattern := range c.PredefinedClients {
		if match(pattern, clientID) {
			patterns = append(patterns, pattern)
		}
	}
	slices.SortFunc(patterns, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return patterns
}

// predefinedBy is the common table, overlaid with those of patterns.
func (c *Config) predefinedBy(patterns []string) *predefined {
	p := &predefined{names: maps.Clone(c.Predefined), ids: map[string]uint16{}}
	if p.names == nil {
		p.names = map[uint16]string{}
	}
	for _, pattern := range patterns {
		maps.Copy(p.names, c.PredefinedClients[pattern])
	}
	for id, name := range p.names {
		if have, taken := p.ids[name]; !taken || id < have {
			p.ids[name] = id
		}
	}
	return p
}

// match compares s with a pattern in which '*' stands for any text.
func match(pattern, s string) bool {
	for i := range len(pattern) {
		if pattern[i] != '*' {
			if i >= len(s) || s[i] != pattern[i] {
				return false
			}
			continue
		}
		for j := i; j <= len(s); j++ {
			if match(pattern[i+1:], s[j:]) {
				return true
			}
		}
		return false
	}
	return len(pattern) == len(s)
}
