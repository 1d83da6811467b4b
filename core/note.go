package core

import (
	"bytes"
	"iter"
	"sync"
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

// notes holds the newest value of each note until it is written.
type notes struct {
	mu  sync.Mutex
	new map[string]*newNote // by the record's key
}

type newNote struct {
	value  []byte // nil: removed
	owners int    // turns that have yet to be committed
}

func (x *notes) set(key string, value []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.new == nil {
		x.new = map[string]*newNote{}
	}
	n := x.new[key]
	if n == nil {
		n = new(newNote)
		x.new[key] = n
	}
	n.value = value
	n.owners++
}

func (x *notes) write(b *Batch, key string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := x.new[key]; n.value == nil {
		b.Delete([]byte(key))
	} else {
		b.Set([]byte(key), n.value)
	}
}

func (x *notes) done(key string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := x.new[key]; n.owners > 1 {
		n.owners--
	} else {
		delete(x.new, key)
	}
}

// Note keeps value under key for the room, in the session's namespace; nil
// removes it. With pending, answer when Safe reaches seq. The room bounds how
// many it keeps. Of two notes of one key the later call wins, whichever turn
// ends first.
func (s *Session) Note(t *Turn, room, key string, value []byte) (seq uint64, pending bool) {
	k := string(noteKey(room, s.ns.name, key))
	if value != nil {
		value = append([]byte{}, value...)
	}
	s.ns.r.notes.set(k, value)
	w := t.pendingWork()
	w.changes = append(w.changes, change{kind: noteChange, text: k})
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
