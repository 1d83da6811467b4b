package core

// crowded is how many turns may wait for the store before they are joined into
// one. They are one change of the store in any case; but in an outage, what
// clients repeat must not take memory each time.
const crowded = 1024

// crowd knows what the work holds that others are joined into.
type crowd struct {
	marks   map[*Session]int
	changes map[change]struct{}
}

// join adds the work of a later turn. A mark that comes again moves the first
// one, since all of them become safe together; a change that comes again is
// written once, as things are then.
func (x *crowd) join(r *Router, to, w *work) {
	if x.marks == nil {
		x.marks, x.changes = map[*Session]int{}, map[change]struct{}{}
		for i, m := range to.marks {
			x.marks[m.s] = i
		}
		for _, c := range to.changes {
			x.changes[c] = struct{}{}
		}
	}
	to.batch.Add(&w.batch)
	to.sync = to.sync || w.sync
	for _, m := range w.marks {
		if i, ok := x.marks[m.s]; ok {
			to.marks[i].to = m.to
			continue
		}
		x.marks[m.s] = len(to.marks)
		to.marks = append(to.marks, m)
	}
	for _, c := range w.changes {
		if _, ok := x.changes[c]; ok {
			if c.kind == noteChange {
				r.notes.done(c.text) // the one that is there has it too
			}
			continue
		}
		x.changes[c] = struct{}{}
		to.changes = append(to.changes, c)
	}
	to.entries = append(to.entries, w.entries...)
	to.freed = append(to.freed, w.freed...)
	to.left = append(to.left, w.left...)
	to.delayed = append(to.delayed, w.delayed...)
	to.clears = append(to.clears, w.clears...)
	if w.done != nil { // the pager's: it waits for one thing at a time
		to.done = w.done
	}
}
