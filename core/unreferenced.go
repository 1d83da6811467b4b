package core

import "encoding/binary"

// Unreferenced looks for messages of a store that no entry of a queue refers to: what releases that did not name the holders
// of a message left of a crash. They take up room and nothing else. It is shown every record, in any order; the zero value
// has seen none.
type Unreferenced struct {
	messages map[uint64]refersTo
	damaged  bool
}

type refersTo struct {
	size  int32 // of its record; 0: it was not seen
	named bool  // an entry refers to it
}

// See takes a record.
func (x *Unreferenced) See(rec Record) {
	if len(rec.Key) < 9 {
		return
	}
	if x.messages == nil {
		x.messages = map[uint64]refersTo{}
	}
	switch rec.Key[0] {
	case keyMessage:
		id := binary.BigEndian.Uint64(rec.Key[1:])
		m := x.messages[id]
		m.size = int32(min(len(rec.Key)+len(rec.Value), 1<<31-1))
		x.messages[id] = m
	case keyEntry:
		if len(rec.Key) != 17 {
			x.damaged = true
			return
		}
		e, err := (&reader{b: rec.Value}).entrySize(binary.BigEndian.Uint64(rec.Key[9:]))
		if err != nil {
			x.damaged = true
		} else if e.refers != 0 {
			m := x.messages[e.refers]
			m.named = true
			x.messages[e.refers] = m
		}
	}
}

// Found is how many there are, and the bytes of their records. ok is false where a queue entry could not be read, which might
// refer to any of them.
func (x *Unreferenced) Found() (n int, bytes int64, ok bool) {
	for _, m := range x.messages {
		if m.size > 0 && !m.named {
			n++
			bytes += int64(m.size)
		}
	}
	return n, bytes, !x.damaged
}

// Remove adds the deletion of what was found to a batch.
func (x *Unreferenced) Remove(b *Batch) {
	for id, m := range x.messages {
		if m.size > 0 && !m.named {
			b.Delete(key1(keyMessage, id))
		}
	}
}
