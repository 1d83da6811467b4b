package listen

import (
	"math/bits"

	"github.com/entrepot/entrepot/core"
)

const (
	slotTime = 32 // milliseconds
	slots    = 2048
)

// wheel is a hashed timer wheel: a list of links per slot of 32 ms, 65 s
// around; what is due later stays in its slot for more rounds. A link that is
// asked for later than it is armed stays where it is, fires early inside the
// wheel, and is armed again by its owner: extending a keep-alive is a store.
type wheel struct {
	lists  [slots]*link
	used   [slots / 64]uint64
	firing *link // the list that advance walks; its links have slot -1
	done   int64 // the last slot that was processed
}

func (w *wheel) start(now core.Time) { w.done = int64(now) / slotTime }

// arm makes sure that the link fires at or before at, but not before its
// owner's own due time has come. 0 does nothing: the link fires in vain.
func (w *wheel) arm(k *link, at core.Time) {
	if at == 0 {
		return
	}
	s := max((int64(at)+slotTime-1)/slotTime, w.done+1)
	if k.slot > 0 && k.slot <= s {
		return
	}
	w.remove(k)
	w.insert(k, s)
}

func (w *wheel) insert(k *link, s int64) {
	i := s % slots
	k.slot, k.prevTimer, k.nextTimer = s, nil, w.lists[i]
	if k.nextTimer != nil {
		k.nextTimer.prevTimer = k
	}
	w.lists[i] = k
	w.used[i/64] |= 1 << (i % 64)
}

// remove takes the link out.
func (w *wheel) remove(k *link) {
	if k.slot == 0 {
		return
	}
	switch {
	case k.prevTimer != nil:
		k.prevTimer.nextTimer = k.nextTimer
	case k.slot < 0:
		w.firing = k.nextTimer
	default:
		i := k.slot % slots
		w.lists[i] = k.nextTimer
		if w.lists[i] == nil {
			w.used[i/64] &^= 1 << (i % 64)
		}
	}
	if k.nextTimer != nil {
		k.nextTimer.prevTimer = k.prevTimer
	}
	k.slot, k.prevTimer, k.nextTimer = 0, nil, nil
}

// advance fires what is due.
func (w *wheel) advance(now core.Time) {
	cur := int64(now) / slotTime
	if cur-w.done > slots { // asleep for more than a round: each slot once
		w.done = cur - slots
	}
	for w.done < cur {
		w.done++
		w.fire(w.done, cur, now)
	}
}

func (w *wheel) fire(s, cur int64, now core.Time) {
	i := s % slots
	w.firing, w.lists[i] = w.lists[i], nil
	w.used[i/64] &^= 1 << (i % 64)
	for k := w.firing; k != nil; k = k.nextTimer {
		k.slot = -k.slot
	}
	for w.firing != nil {
		k := w.firing
		at := -k.slot
		w.remove(k)
		if at > cur {
			w.insert(k, at)
			continue
		}
		k.own.expire(now)
	}
}

// next is the time in milliseconds until advance may have something to do;
// -1: never.
func (w *wheel) next(now core.Time) int {
	from := w.done + 1
	for n := int64(0); n < slots; {
		i := (from + n) % slots
		word := w.used[i/64] >> (i % 64)
		if word != 0 {
			at := (from + n + int64(bits.TrailingZeros64(word))) * slotTime
			return int(max(0, at-int64(now)))
		}
		n += 64 - i%64
	}
	return -1
}
