package packet

// A Pair is a User Property. MQTT 5.0, 1.5.7.
type Pair struct{ Key, Value []byte }

// Properties are the properties of one packet of MQTT 5.0. A value counts only
// when it is present: numbers and strings are set through the Set methods,
// which mark them, and read after Has or through Num's default.
type Properties struct {
	set  uint64          // bit n: property n is present
	nums [propIDs]uint32 // bytes, integers
	strs [strSlots][]byte

	// User holds the User Properties in their order. Absent when empty.
	User []Pair
	// SubscriptionIDs holds the Subscription Identifiers. Absent when empty.
	SubscriptionIDs []uint32
}

// strSlots places the string and binary properties next to each other.
const strSlots = 9

var strSlot = [propIDs]int8{
	ContentType: 0, ResponseTopic: 1, CorrelationData: 2, AssignedClientID: 3, AuthenticationMethod: 4,
	AuthenticationData: 5, ResponseInformation: 6, ServerReference: 7, ReasonString: 8,
}

// Has reports whether the property is present.
func (p *Properties) Has(id PropID) bool {
	switch id {
	case UserProperty:
		return len(p.User) > 0
	case SubscriptionIdentifier:
		return len(p.SubscriptionIDs) > 0
	}
	return p.set>>id&1 != 0
}

// Empty reports whether no property is present.
func (p *Properties) Empty() bool {
	return p.set == 0 && len(p.User) == 0 && len(p.SubscriptionIDs) == 0
}

// Num returns the value of a number property, or def when it is absent.
func (p *Properties) Num(id PropID, def uint32) uint32 {
	if p.set>>id&1 == 0 {
		return def
	}
	return p.nums[id]
}

// Str returns the value of a string or binary property, nil when it is absent.
// A parsed value is borrowed from the input.
func (p *Properties) Str(id PropID) []byte {
	if p.set>>id&1 == 0 {
		return nil
	}
	return p.strs[strSlot[id]]
}

// SetNum sets a number property (any but the Subscription Identifier).
func (p *Properties) SetNum(id PropID, v uint32) {
	p.set |= 1 << id
	p.nums[id] = v
}

// SetStr sets a string or binary property. It keeps v.
func (p *Properties) SetStr(id PropID, v []byte) {
	p.set |= 1 << id
	p.strs[strSlot[id]] = v
}

// Drop removes a property.
func (p *Properties) Drop(id PropID) {
	p.set &^= 1 << id
	switch id {
	case UserProperty:
		p.User = p.User[:0]
	case SubscriptionIdentifier:
		p.SubscriptionIDs = p.SubscriptionIDs[:0]
	}
}

// Reset removes all properties and keeps the slices for reuse. It drops
// borrowed values, so that a reused packet pins no old buffer.
func (p *Properties) Reset() {
	if p.set != 0 {
		p.set = 0
		p.strs = [strSlots][]byte{}
	}
	if len(p.User) > 0 {
		clear(p.User)
		p.User = p.User[:0]
	}
	p.SubscriptionIDs = p.SubscriptionIDs[:0]
}

// parse reads the property length and the properties of a packet at place.
//
//	+--------------------+----+-------+----+-------+- -
//	| length (varint)    | id | value | id | value |
//	+--------------------+----+-------+----+-------+- -
func (p *Properties) parse(r *reader, rules *Rules, at places) {
	p.Reset()
	if len(r.b) > 0 && r.b[0] == 0 {
		r.b = r.b[1:]
		return
	}
	n := int(r.varint())
	if r.err == nil && n > rules.maxPropBytes() && n <= len(r.b) {
		r.fail(errPropBytes)
	}
	in := reader{b: r.take(n)}
	for count := 0; len(in.b) > 0 && r.err == nil; count++ {
		if count == rules.maxProperties() {
			r.fail(errPropMany)
			return
		}
		p.parseOne(&in, rules, at)
		if in.err != nil {
			r.fail(in.err)
		}
	}
}

func (p *Properties) parseOne(in *reader, rules *Rules, at places) {
	n := in.varint()
	if in.err != nil {
		return
	}
	if n >= propIDs || properties[n].name == "" {
		in.fail(errPropID)
		return
	}
	id := PropID(n)
	row := &properties[id]
	switch {
	case row.foreign&at != 0:
		in.fail(errPropSender) // [MQTT-3.3.4-6] [MQTT-3.14.2-2]
	case row.in&at == 0:
		in.fail(errPropPlace)
	case p.Has(id) && row.many&at == 0:
		in.fail(errPropTwice)
	case row.shape >= aString:
		p.parseText(in, id, row, rules)
	default:
		p.parseNum(in, id, row)
	}
}

func (p *Properties) parseText(in *reader, id PropID, row *propRow, rules *Rules) {
	switch row.shape {
	case aPair:
		kv := Pair{Key: in.string(rules.StrictUTF8), Value: in.string(rules.StrictUTF8)} // [MQTT-1.5.7-1]
		if in.err == nil {
			p.User = append(p.User, kv)
		}
		return
	case aBinary:
		p.SetStr(id, in.binary())
	default:
		s := in.string(rules.StrictUTF8) // [MQTT-3.3.2-13] [MQTT-3.3.2-19]
		if id == ResponseTopic && in.err == nil {
			if bad, err := checkName(s, rules.StrictUTF8); err != nil {
				in.fail(err)
			} else if bad || len(s) == 0 {
				in.fail(errReplyTopic) // [MQTT-3.3.2-14]
			}
		}
		p.SetStr(id, s)
	}
}

func (p *Properties) parseNum(in *reader, id PropID, row *propRow) {
	var v uint32
	switch row.shape {
	case aByte:
		v = uint32(in.byte())
	case aU16:
		v = uint32(in.u16())
	case aU32:
		v = in.u32()
	case aVarint:
		v = in.varint()
	}
	switch {
	case in.err != nil:
	case id == TopicAlias && v == 0:
		in.fail(errAlias0) // [MQTT-3.3.2-8]
	case row.nonZero && v == 0, row.most > 0 && v > row.most:
		in.fail(errPropValue)
	case id == SubscriptionIdentifier:
		p.SubscriptionIDs = append(p.SubscriptionIDs, v)
	default:
		p.SetNum(id, v)
	}
}
