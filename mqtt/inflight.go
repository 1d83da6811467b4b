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
// by the low bits of the identifier: an identifier whose slot is taken is not
// given out.
type inflight struct {
	open *flights // nil while there is nothing, as most of the time
	last uint16   // identifier given out last
}

type flights struct {
	slots    []flight // length 0 or a power of two
	used     int
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
	if s := &x.slots[int(id)&(len(x.slots)-1)]; s.consumer != nil && s.id == id {
		return s
	}
	return nil
}

// put enters an exchange under the identifier of x; false when its slot is
// taken, or the identifier is reserved or 0.
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
	s := &o.slots[int(x.id)&(len(o.slots)-1)]
	if x.id == 0 || s.consumer != nil {
		return false
	}
	*s = x
	o.used++
	f.last = x.id
	if x.counts {
		o.quota++
	}
	return true
}

// restore is put for an identifier that the client knows already: the table
// grows until it fits; false when the identifier itself is in use.
func (f *inflight) restore(x flight) bool {
	if x.id == 0 || f.get(x.id) != nil {
		return false
	}
	o := f.some()
	o.unreserve(x.id)
	for !f.put(x) {
		o.grow()
	}
	return true
}

// next enters an exchange under an identifier that is not in use, counted
// round-robin from the last one, so that a late acknowledgement does not hit a
// new message. There is one: free was asked. MQ17.
func (f *inflight) next(x flight) uint16 {
	id := f.last + 1
	for tried := 0; ; id, tried = id+1, tried+1 {
		if tried > identifiers { // every identifier that is not in use is reserved
			f.open.reserved = nil
		}
		if x.id = id; f.put(x) {
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
	*s = flight{}
}

// grow doubles the table. Identifiers that differ in their low bits before do
// so after.
func (f *flights) grow() {
	old := f.slots
	f.slots = make([]flight, max(4, 2*len(old)))
	for i := range old {
		if old[i].consumer != nil {
			f.slots[int(old[i].id)&(len(f.slots)-1)] = old[i]
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
