package mqtt

import "github.com/entrepot/entrepot/core"

// stage is how far an outbound exchange has come.
type stage uint8

const (
	sent     stage = iota // PUBLISH is out, PUBACK or PUBREC is awaited
	received              // PUBREC is in, PUBREL waits for the store
	released              // PUBREL is out, PUBCOMP is awaited
)

// A flight is one PUBLISH of QoS 1 or 2 that the client has not completed.
type flight struct {
	consumer *core.Consumer // nil: the slot is free
	seq      uint64
	id       uint16
	qos      uint8
	stage    stage
	counts   bool // against the Receive Maximum: all but a repeated PUBREL
}

// inflight holds the packet identifiers that are in use towards the client,
// over QoS 1 and QoS 2 of the session [MQTT-2.2.1-4]. It is a table addressed
// by the low bits of the identifier; one whose slot is taken has the next one
// that is free.
type inflight struct {
	open *flights // nil while there is nothing, as most of the time
	last uint16   // identifier given out last by next
	own  uint16   // of the session's own queue, entered last or to be entered next; 0: not known
}

type flights struct {
	slots    []flight // length 0 or a power of two
	used     int
	away     int                 // of them, those that are not in the slot that their low bits name
	quota    int                 // what still counts against the Receive Maximum
	reserved map[uint16]struct{} // of exchanges of a connection before, until they are repeated
}

const identifiers = 65535 // how many there are

// free returns how many more exchanges may begin below max. [MQTT-4.9.0-1]
// Repeated PUBREL packets do not count against it, but take identifiers. [MQTT-2.2.1-4]
func (f *inflight) free(max int) int {
	if f.open == nil {
		return min(max, identifiers)
	}
	return min(max-f.open.quota, identifiers-f.open.used)
}

// some is what is in flight, made if there is nothing.
func (f *inflight) some() *flights {
	if f.open == nil {
		f.open = new(flights)
	}
	return f.open
}

// reserve keeps an identifier that the client knows from a connection before
// for restore. MQ15
func (f *inflight) reserve(id uint16) {
	x := f.some()
	if x.reserved == nil {
		x.reserved = map[uint16]struct{}{}
	}
	x.reserved[id] = struct{}{}
}

// unreserve is the end of reserve.
func (f *flights) unreserve(id uint16) {
	if delete(f.reserved, id); len(f.reserved) == 0 {
		f.reserved = nil
	}
}

// get returns the exchange with that identifier, nil when there is none.
func (f *inflight) get(id uint16) *flight {
	x := f.open
	if x == nil || len(x.slots) == 0 {
		return nil
	}
	if s := x.slot(id); s.consumer != nil {
		return s
	}
	return nil
}

// slot is that of an identifier, or where it would be.
func (f *flights) slot(id uint16) *flight {
	for i := int(id); ; i++ {
		if s := &f.slots[i&(len(f.slots)-1)]; s.id == id || s.consumer == nil {
			return s
		}
	}
}

// home is the slot that the low bits of an identifier name.
func (f *flights) home(id uint16) *flight { return &f.slots[int(id)&(len(f.slots)-1)] }

// put enters an exchange under the identifier of x; false when that is in use,
// reserved or 0.
func (f *inflight) put(x flight) bool {
	o := f.some()
	if o.reserved != nil {
		if _, kept := o.reserved[x.id]; kept {
			return false
		}
	}
	if o.used*2 >= len(o.slots) {
		o.grow()
	}
	s := o.slot(x.id)
	if x.id == 0 || s.consumer != nil {
		return false
	}
	*s = x
	o.used++
	if s != o.home(x.id) {
		o.away++
	}
	if x.counts {
		o.quota++
	}
	return true
}

// restore is put for an identifier that the client knows already.
func (f *inflight) restore(x flight) bool {
	if x.id == 0 || f.get(x.id) != nil {
		return false
	}
	f.some().unreserve(x.id)
	return f.put(x)
}

// ahead is how far next keeps away from the identifiers that the own queue is
// about to need: what is named by another one must be told to the store, which
// a kill may outrun.
const (
	ahead = 1 << 14
	apart = 0x5555 // where next goes on; the low bits differ too, however few count
)

// next enters an exchange under an identifier that is not in use, counted
// round-robin from the last one, so that a late acknowledgement does not hit a
// new message. There is one: free was asked. MQ17.
func (f *inflight) next(x flight) uint16 {
	id := f.last + 1
	for tried := 0; ; id, tried = id+1, tried+1 {
		switch {
		case tried > 2*identifiers: // every identifier that is not in use is reserved
			f.open.reserved = nil
		case f.own != 0 && id-f.own < ahead && tried < identifiers:
			id = f.own + apart
		}
		if x.id = id; f.put(x) {
			f.last = id
			return id
		}
	}
}

// done frees the identifier of an exchange that get returned. [MQTT-3.3.4-9]
func (f *inflight) done(s *flight) {
	if s.counts {
		f.open.quota--
	}
	f.open.used--
	f.open.remove(s)
}

// remove empties a slot, which those behind it may have passed on their way. In
// most tables nobody is away from home: identifiers follow each other.
func (f *flights) remove(s *flight) {
	if s != f.home(s.id) {
		f.away--
	} else if f.away == 0 {
		*s = flight{}
		return
	}
	mask := len(f.slots) - 1
	i := int(s.id) & mask
	for &f.slots[i] != s {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; f.slots[j].consumer != nil; j = (j + 1) & mask {
		if way := (j - int(f.slots[j].id)) & mask; way >= (j-i)&mask {
			f.slots[i] = f.slots[j]
			if way == (j-i)&mask {
				f.away--
			}
			i = j
		}
	}
	f.slots[i] = flight{}
}

// grow doubles the table.
func (f *flights) grow() {
	old := f.slots
	f.slots, f.away = make([]flight, max(4, 2*len(old))), 0
	for i := range old {
		if old[i].consumer == nil {
			continue
		}
		s := f.slot(old[i].id)
		if *s = old[i]; s != f.home(s.id) {
			f.away++
		}
	}
}

// shrink gives the table back when nothing is in flight.
func (f *inflight) shrink() {
	if o := f.open; o != nil && o.used == 0 {
		if o.slots = nil; o.reserved == nil {
			f.open = nil
		}
	}
}
