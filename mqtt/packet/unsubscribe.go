package packet

import (
	"encoding/binary"
	"iter"
)

// An Unsubscribe is an UNSUBSCRIBE. MQTT 5.0, 3.10.
//
//	+-----------+---------+------------------+- -
//	| packet id | props P | filter (string)  | one or more
//	+-----------+---------+------------------+- -
type Unsubscribe struct {
	ID         uint16
	Properties Properties
	// List is the filters as they stand on the wire; All walks through it,
	// AppendFilter makes it.
	List []byte
}

// Kind returns UNSUBSCRIBE.
func (u *Unsubscribe) Kind() Type { return UNSUBSCRIBE }

// Parse reads the body of an UNSUBSCRIBE.
func (u *Unsubscribe) Parse(rules *Rules, v Version, _ byte, body []byte) error {
	rules = rules.orDefault()
	r := reader{b: body}
	u.ID = r.id()
	if v >= V5 {
		u.Properties.parse(&r, rules, inUnsubscribe)
	} else {
		u.Properties.Reset()
	}
	u.List = r.b
	switch {
	case r.err != nil:
		return r.err
	case len(r.b) == 0:
		return errNoFilter // [MQTT-3.10.3-2] [3: MQTT-3.10.3-2]
	}
	for len(r.b) > 0 && r.err == nil {
		r.string(rules.StrictUTF8) // [MQTT-3.10.3-1] [3: MQTT-3.10.3-1]
	}
	return r.err
}

// All walks through the filters, which are borrowed.
func (u *Unsubscribe) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for b := u.List; len(b) > 1; {
			n := 2 + int(binary.BigEndian.Uint16(b))
			if !yield(b[2:n:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// AppendFilter adds a filter to List.
func (u *Unsubscribe) AppendFilter(filter string) { u.List = AppendString(u.List, filter) }

// AppendTo appends the packet.
func (u *Unsubscribe) AppendTo(dst []byte, v Version) []byte {
	dst = AppendVarint(append(dst, byte(UNSUBSCRIBE)<<4|2), uint32(2+u.Properties.size(v)+len(u.List)))
	return append(u.Properties.appendTo(appendU16(dst, u.ID), v), u.List...)
}
