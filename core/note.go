package core

import (
	"bytes"
	"iter"
)

// Note is a small record of a room: what it needs to make its own objects
// again after a restart (AMQP's exchanges). Core does not look inside.
type Note struct {
	Namespace string
	Key       string
	Value     []byte
}

func noteKey(room, namespace, key string) []byte {
	k := append([]byte{keyNote}, room...)
	k = append(append(k, 0), namespace...)
	return append(append(k, 0), key...)
}

// Note keeps value under key for the room, in the session's namespace; nil
// removes it. With pending, answer when Safe reaches seq. The room bounds how
// many it keeps.
func (s *Session) Note(t *Turn, room, key string, value []byte) (seq uint64, pending bool) {
	k := noteKey(room, s.ns.name, key)
	if value == nil {
		t.delete(k)
	} else {
		t.set(k, value)
	}
	return s.advance(t, true)
}

// Notes walks the notes of a room, in every namespace, in the order of their
// keys. For the start of a room: it reads the store.
func (r *Router) Notes(room string) iter.Seq2[Note, error] {
	prefix := append(append([]byte{keyNote}, room...), 0)
	end := bytes.Clone(prefix)
	end[len(end)-1] = 1
	return func(yield func(Note, error) bool) {
		for rec, err := range r.store.Scan(prefix, end) {
			if err != nil {
				yield(Note{}, err)
				return
			}
			namespace, key, ok := bytes.Cut(rec.Key[len(prefix):], []byte{0})
			if ok && !yield(Note{string(namespace), string(key), bytes.Clone(rec.Value)}, nil) {
				return
			}
		}
	}
}
