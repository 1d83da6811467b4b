package core

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
)

// sharing is the record of a message that several durable queues hold: it is
// stored once, and their entries refer to it. The record names all of these
// entries. While all of them are in memory they are counted; when some are
// not, the store is asked which of them it still has. So nothing has to be
// counted at a start, and the last deletion of an entry takes the message with
// it in one change: a crash leaves no message that nobody refers to.
type sharing struct {
	id   uint64
	refs atomic.Int32 // entries in memory, and the publish under way
	cold atomic.Bool  // there may be entries that are not in memory
	wide bool         // more than mostHolders refer to it
}

// holder is an entry that refers to a message.
type holder struct{ queue, seq uint64 }

// share begins the record of a message that is about to be put into so many
// queues.
func (t *Turn) share(m *Message, queues int) {
	m.record = &sharing{id: t.router.newID(), wide: queues > mostHolders}
	m.record.refs.Store(1) // ours, until every queue has taken or refused it
	t.holders = t.holders[:0]
}

// shareEnds completes it: the queues that took it are known.
func (t *Turn) shareEnds(m *Message) {
	if len(t.holders) > 0 {
		if !t.router.forgets {
			t.set(key1(keyMessage, m.record.id), appendMessage(appendHolders(nil, t.holders), m, &t.router.ages))
		}
		t.releaseMessage(m, holder{})
	}
}

// refer notes that an entry refers to a message. q.mu is held.
func (t *Turn) refer(q *Queue, seq uint64, m *Message) {
	if m.record != nil {
		m.record.refs.Add(1)
		t.holders = append(t.holders, holder{q.id, seq})
	}
}

// goesCold follows an entry out of memory, which is stored.
func (x *sharing) goesCold() {
	x.cold.Store(true)
	x.refs.Add(-1)
}

// freed is a reference that ends with a turn.
type freed struct {
	record *sharing
	by     holder
}

// releaseMessage drops the reference of a durable entry to its message. It
// counts when the turn is committed, so that the last one, which deletes the
// message's record, never comes before the deletion of an entry.
func (t *Turn) releaseMessage(m *Message, by holder) {
	if m.record != nil {
		w := t.pendingWork()
		w.freed = append(w.freed, freed{m.record, by})
	}
}

// holdersFollow marks a record that begins with its holders.
const holdersFollow = 0x80

func appendHolders(b []byte, all []holder) []byte {
	b = append(b, holdersFollow)
	b = putUint(b, uint64(len(all)))
	for _, h := range all {
		b = putUint(putUint(b, h.queue), h.seq)
	}
	return b
}

// holders reads, or skips, what appendHolders wrote. A record of an earlier
// release names none.
func (r *reader) holders(into []holder) []holder {
	if len(r.b) == 0 || r.b[0] != holdersFollow {
		return into
	}
	r.byte()
	for n := r.count(); n > 0 && !r.bad; n-- {
		into = append(into, holder{r.uint(), r.uint()})
	}
	return into
}

// sharedMessage reads the record of a message; nil when it is not there.
func (r *Router) sharedMessage(id uint64) (*Message, error) {
	key := key1(keyMessage, id)
	v, err := r.store.Get(key)
	if err != nil || v == nil {
		return nil, err
	}
	rec := &reader{b: v, ages: &r.ages}
	holders := rec.holders(nil)
	m := rec.message()
	if rec.err() != nil {
		return nil, damaged(key, rec.err())
	}
	m.record = &sharing{id: id, wide: len(holders) > mostHolders}
	m.record.cold.Store(true)
	m.shared = true
	return m, nil
}

// release ends the references of a group, and removes the messages that nobody
// refers to any more, in the same change.
func (c *committer) release(group []*work) {
	if c.r.forgets {
		return
	}
	var asked []uint64
	for _, w := range group {
		for _, f := range w.freed {
			switch {
			case f.record.refs.Add(-1) != 0:
			case f.record.cold.Load():
				asked = append(asked, f.record.id)
			default:
				c.states.Delete(key1(keyMessage, f.record.id))
			}
		}
	}
	if asked = append(asked, c.unasked...); len(asked) == 0 || c.r.failed.Load() {
		return
	}
	c.unasked = c.unasked[:0]
	ending := map[holder]struct{}{}
	for _, w := range group {
		for _, f := range w.freed {
			ending[f.by] = struct{}{}
		}
	}
	for _, id := range asked {
		held, err := c.held(id, ending)
		if err != nil {
			c.r.log.Error("store.read", "error", err, "note", "whether anything refers to a message is asked again with the next change")
			c.unasked = append(c.unasked, id)
		} else if !held {
			c.states.Delete(key1(keyMessage, id))
		}
	}
}

// held tells whether an entry other than those that are ending is in the store.
func (c *committer) held(id uint64, ending map[holder]struct{}) (bool, error) {
	v, err := c.r.store.Get(key1(keyMessage, id))
	if err != nil || v == nil {
		return v == nil, err
	}
	r := &reader{b: v}
	c.holders = r.holders(c.holders[:0])
	n := len(c.holders)
	if n == 0 {
		return true, r.err()
	}
	first := rand.IntN(n) // of many that end one after the other, the same ones would be asked in vain
	for i := range n {
		h := c.holders[(first+i)%n]
		if _, ends := ending[h]; ends {
			continue
		}
		v, err := c.r.store.Get(key2(keyEntry, h.queue, h.seq))
		if err != nil {
			return true, err
		}
		if v == nil {
			continue
		}
		// A queue that was empty at a start begins its numbers anew.
		if e, err := (&reader{b: v}).entry(h.seq); err != nil || e.refers == id {
			return true, err
		}
	}
	return false, nil
}

func isDamage(err error) bool {
	var d *damage
	return errors.As(err, &d)
}
