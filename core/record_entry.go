package core

// stored is an entry as its record tells it.
type stored struct {
	seq    uint64
	e      entry
	refers uint64 // the record that holds the message; 0: e.m is here
	size   int    // of the message; 0: an earlier release did not say
	from   uint64 // the message's From, when it is here
	origin uint64 // the queue that gave it; 0: none
}

// entry reads the record of an entry.
func (r *reader) entry(seq uint64) (stored, error) { return r.storedEntry(seq, false) }

// entrySize reads it but for the message, of which only size and from are taken.
func (r *reader) entrySize(seq uint64) (stored, error) { return r.storedEntry(seq, true) }

func (r *reader) storedEntry(seq uint64, sizeOnly bool) (x stored, err error) {
	flags := r.byte()
	x.seq = seq
	x.e = entry{qos: r.byte(), tag: uint32(r.uint()), stored: true, logged: true, retain: flags&entryRetain != 0}
	if flags&entryReceived != 0 {
		x.e.state = received
	}
	if flags&entryGiven != 0 {
		x.origin = r.uint()
	}
	if n := r.count(); n > 0 {
		ids := make([]uint32, 0, n)
		for ; n > 0; n-- {
			ids = append(ids, uint32(r.uint()))
		}
		x.e.ids = &ids
	}
	switch {
	case flags&entryRefers != 0:
		x.refers = r.uint()
		if flags&entrySized != 0 {
			x.size = int(r.uint())
		}
	case sizeOnly:
		x.size, x.from = r.messageSize()
	default:
		x.e.m = r.message()
		x.size, x.from = x.e.m.Size(), x.e.m.From
	}
	if r.err() != nil || x.e.qos > 2 || seq == 0 {
		return x, errRecord
	}
	return x, nil
}
