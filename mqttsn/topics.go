package mqttsn

import (
	"bytes"
	"encoding/binary"
	"slices"

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
// It is one run of bytes, because a client has a handful of topics and there
// are many clients: the id that was given last, how many topics there are, a
// head for each in order of use, oldest first, and their names in that order.
// Numbers are big-endian.
//
//	+----------+-----------+--------+-----------+------------+-----+-------+
//	| last (2) | count (2) | id (2) | flags (1) | length (2) | ... | names |
//	+----------+-----------+--------+-----------+------------+-----+-------+
type topics struct{ b []byte }

const (
	topicsHead = 4 // octets before the first head
	topicHead  = 5 // octets of a head

	flagOwn  = 1 << 0 // asked for by the client, who may publish to it: never recycled
	flagTold = 1 << 1 // the client knows the id in this connection
)

// registered is a topic of a registry; valid until the next add.
type registered struct {
	name []byte
	id   uint16
	own  bool
	told bool
	at   int // of its head
}

// count is how many topics there are.
func (t *topics) count() int {
	if len(t.b) == 0 {
		return 0
	}
	return int(binary.BigEndian.Uint16(t.b[2:]))
}

// names is where the names begin.
func (t *topics) names() int { return topicsHead + t.count()*topicHead }

// read is the topic whose head and whose name are there.
func (t *topics) read(head, name int) registered {
	h := t.b[head : head+topicHead]
	return registered{
		name: t.b[name : name+int(binary.BigEndian.Uint16(h[3:]))], id: binary.BigEndian.Uint16(h),
		own: h[2]&flagOwn != 0, told: h[2]&flagTold != 0, at: head,
	}
}

// heads are those of all topics.
func (t *topics) heads() []byte {
	if len(t.b) == 0 {
		return nil
	}
	return t.b[topicsHead:t.names()]
}

// byID is the topic of an id.
func (t *topics) byID(id uint16) (r registered, ok bool) {
	all := t.heads()
	name := topicsHead + len(all)
	for h := all; len(h) >= topicHead; h = h[topicHead:] {
		if binary.BigEndian.Uint16(h) == id {
			return t.read(topicsHead+len(all)-len(h), name), true
		}
		name += int(binary.BigEndian.Uint16(h[3:]))
	}
	return registered{}, false
}

// find is the topic of a name.
func (t *topics) find(s string) (r registered, ok bool) {
	all := t.heads()
	name := topicsHead + len(all)
	for h := all; len(h) >= topicHead; h = h[topicHead:] {
		n := int(binary.BigEndian.Uint16(h[3:]))
		if n == len(s) && string(t.b[name:name+n]) == s {
			return t.read(topicsHead+len(all)-len(h), name), true
		}
		name += n
	}
	return registered{}, false
}

// add gives name an id, the one it has if it has one. own says that the
// client asked for it. When limit names have one, the oldest that the client
// did not ask for goes; ok is false when it asked for them all.
func (t *topics) add(name string, own bool, limit int) (r registered, ok bool) {
	if r, ok := t.find(name); ok {
		if own {
			t.b[r.at+2] |= flagOwn
		}
		return r, true
	}
	for t.count() >= limit {
		if !t.drop(func(r registered) bool { return !r.own }) {
			return registered{}, false
		}
	}
	return t.append(name, own), true
}

// recycle gives a name the oldest id, although the client asked for that one:
// a topic that it subscribed to by a wildcard must not starve.
func (t *topics) recycle(name string) registered {
	t.drop(func(registered) bool { return true })
	return t.append(name, false)
}

// drop takes the oldest topic out that is like that; false: none is.
func (t *topics) drop(like func(r registered) bool) bool {
	name, end := t.names(), t.names()
	for i := topicsHead; i < end; i += topicHead {
		r := t.read(i, name)
		if like(r) {
			t.b = slices.Delete(t.b, name, name+len(r.name))
			t.b = slices.Delete(t.b, i, i+topicHead)
			t.setCount(t.count() - 1)
			return true
		}
		name += len(r.name)
	}
	return false
}

func (t *topics) setCount(n int) { binary.BigEndian.PutUint16(t.b[2:], uint16(n)) }

// append gives a name that has none an id.
func (t *topics) append(name string, own bool) registered {
	id, flags := t.fresh(), byte(0)
	if own {
		flags = flagOwn
	}
	if t.b == nil {
		t.b = make([]byte, topicsHead, topicsHead+topicHead+len(name))
	}
	head := t.names()
	t.b = slices.Insert(t.b, head, byte(id>>8), byte(id), flags, byte(len(name)>>8), byte(len(name)))
	t.b = append(t.b, name...)
	binary.BigEndian.PutUint16(t.b, id)
	t.setCount(t.count() + 1)
	return t.read(head, len(t.b)-len(name))
}

// fresh is an id that is not in use; an id that was dropped is used again
// last, so that a client that still has it in mind is told that it is unknown.
func (t *topics) fresh() (id uint16) {
	if t.b != nil {
		id = binary.BigEndian.Uint16(t.b)
	}
	for {
		if id++; id < firstID || id > lastID {
			id = firstID
		}
		if _, taken := t.byID(id); !taken {
			return id
		}
	}
}

// tell notes whether the client knows the id of a topic in this connection.
func (t *topics) tell(r registered, knows bool) {
	if t.b[r.at+2] &^= flagTold; knows {
		t.b[r.at+2] |= flagTold
	}
}

// reconnect makes every id unknown to the client until it is registered anew
// or the client names it.
func (t *topics) reconnect() {
	for i, end := topicsHead, t.names(); i < end; i += topicHead {
		t.b[i+2] &^= flagTold
	}
}

// rest gives memory back that no topic needs.
func (t *topics) rest() {
	if n := len(t.b); cap(t.b) > n+n/8+16 {
		t.b = bytes.Clone(t.b)
	}
}

// validName tells whether a topic can be published to: the core's rules, so
// that nothing gets an id that no publish can use.
func validName(name []byte) bool { return topic.CheckName(name, topic.Limits{}) == nil }
