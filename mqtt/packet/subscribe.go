package packet

import (
	"encoding/binary"
	"iter"
)

// A Subscribe is a SUBSCRIBE. MQTT 5.0, 3.8.
//
//	+-----------+---------+------------------+---------+- -
//	| packet id | props P | filter (string)  | options | one or more
//	+-----------+---------+------------------+---------+- -
type Subscribe struct {
	ID         uint16
	Properties Properties
	// List is the filters with their options as they stand on the wire; All
	// walks through it, AppendFilter makes it.
	List []byte
}

// An Options byte goes with each filter of a SUBSCRIBE. MQTT 5.0, 3.8.3.1.
//
//	 7 6   5 4               3                    2          1 0
//	| 0 | retain handling | retain as published | no local | QoS |
type Options byte

// QoS returns the requested QoS, 0 to 2.
func (o Options) QoS() byte { return byte(o & 3) }

// NoLocal reports the No Local option.
func (o Options) NoLocal() bool { return o&4 != 0 }

// RetainAsPublished reports the Retain As Published option.
func (o Options) RetainAsPublished() bool { return o&8 != 0 }

// RetainHandling returns the Retain Handling option, 0 to 2.
func (o Options) RetainHandling() byte { return byte(o >> 4 & 3) }

// NewOptions returns the options byte.
func NewOptions(qos byte, noLocal, retainAsPublished bool, retainHandling byte) Options {
	o := Options(qos&3) | Options(retainHandling&3)<<4
	if noLocal {
		o |= 4
	}
	if retainAsPublished {
		o |= 8
	}
	return o
}

var (
	errNoFilter = protocol("MB7 no topic filter")
	errOptions  = malformed("MB7 reserved subscription options")
)

// Kind returns SUBSCRIBE.
func (s *Subscribe) Kind() Type { return SUBSCRIBE }

// Parse reads the body of a SUBSCRIBE. Whether a filter is a valid one is for
// the room, since it has an answer of its own.
func (s *Subscribe) Parse(rules *Rules, v Version, _ byte, body []byte) error {
	rules = rules.orDefault()
	r := reader{b: body}
	s.ID = r.id()
	if v >= V5 {
		s.Properties.parse(&r, rules, inSubscribe)
	} else {
		s.Properties.Reset()
	}
	s.List = r.b
	switch {
	case r.err != nil:
		return r.err
	case len(r.b) == 0:
		return errNoFilter // [MQTT-3.8.3-2] [3: MQTT-3.8.3-3]
	}
	for len(r.b) > 0 {
		r.string(rules.StrictUTF8) // [MQTT-3.8.3-1] [3: MQTT-3.8.3-1]
		o := Options(r.byte())
		switch {
		case r.err != nil:
			return r.err
		case !o.valid(v):
			return errOptions // [MQTT-3.8.3-5] [3: MQTT-3.8.3-4]
		}
	}
	return nil
}

func (o Options) valid(v Version) bool {
	switch {
	case o.QoS() == 3:
		return false
	case v >= V5:
		return o&0xc0 == 0 && o.RetainHandling() < 3
	case v == V31:
		return true // 3.1: the unused bits are ignored
	}
	return o&^3 == 0
}

// All walks through the filters, which are borrowed, with their options.
func (s *Subscribe) All() iter.Seq2[[]byte, Options] {
	return func(yield func([]byte, Options) bool) {
		for b := s.List; len(b) > 2; {
			n := 2 + int(binary.BigEndian.Uint16(b))
			if !yield(b[2:n:n], Options(b[n])) {
				return
			}
			b = b[n+1:]
		}
	}
}

// AppendFilter adds a filter to List.
func (s *Subscribe) AppendFilter(filter string, o Options) {
	s.List = append(AppendString(s.List, filter), byte(o))
}

// AppendTo appends the packet.
func (s *Subscribe) AppendTo(dst []byte, v Version) []byte {
	dst = AppendVarint(append(dst, byte(SUBSCRIBE)<<4|2), uint32(2+s.Properties.size(v)+len(s.List)))
	return append(s.Properties.appendTo(appendU16(dst, s.ID), v), s.List...)
}
