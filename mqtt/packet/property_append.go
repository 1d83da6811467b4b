package packet

import "math/bits"

// bodyLen returns the bytes of the properties without their length.
func (p *Properties) bodyLen() int {
	n := 0
	for set := p.set; set != 0; set &= set - 1 {
		id := PropID(bits.TrailingZeros64(set))
		switch properties[id].shape {
		case aByte:
			n += 2
		case aU16:
			n += 3
		case aU32:
			n += 5
		case aString, aBinary:
			n += 3 + len(p.strs[strSlot[id]])
		}
	}
	for _, v := range p.SubscriptionIDs {
		n += 1 + VarintLen(v)
	}
	for i := range p.User {
		n += 5 + len(p.User[i].Key) + len(p.User[i].Value)
	}
	return n
}

// size returns the bytes of the properties with their length, 0 before 5.0.
func (p *Properties) size(v Version) int {
	if v < V5 {
		return 0
	}
	n := p.bodyLen()
	return VarintLen(uint32(n)) + n
}

// appendTo appends the length and the properties, in the order of their
// identifiers, User Properties last; nothing before 5.0. [MQTT-2.2.2-1]
func (p *Properties) appendTo(dst []byte, v Version) []byte {
	if v < V5 {
		return dst
	}
	return p.AppendList(AppendVarint(dst, uint32(p.bodyLen())))
}

// AppendList appends the properties without their length.
func (p *Properties) AppendList(dst []byte) []byte {
	for set := p.set; set != 0; set &= set - 1 {
		id := PropID(bits.TrailingZeros64(set))
		switch properties[id].shape {
		case aByte, aU16, aU32:
			dst = AppendNum(dst, id, p.nums[id])
		default:
			dst = AppendStr(dst, id, p.strs[strSlot[id]])
		}
	}
	for _, v := range p.SubscriptionIDs {
		dst = AppendNum(dst, SubscriptionIdentifier, v)
	}
	for i := range p.User {
		dst = AppendUser(dst, p.User[i].Key, p.User[i].Value)
	}
	return dst
}

// AppendNum appends one number property.
func AppendNum(dst []byte, id PropID, v uint32) []byte {
	dst = append(dst, byte(id))
	switch properties[id].shape {
	case aByte:
		return append(dst, byte(v))
	case aU16:
		return appendU16(dst, uint16(v))
	case aU32:
		return appendU32(dst, v)
	}
	return AppendVarint(dst, v)
}

// AppendStr appends one string or binary property, of at most 65,535 bytes.
func AppendStr[T ~string | ~[]byte](dst []byte, id PropID, v T) []byte {
	return AppendString(append(dst, byte(id)), v)
}

// AppendUser appends one User Property, key and value of at most 65,535 bytes.
func AppendUser[T ~string | ~[]byte](dst []byte, key, value T) []byte {
	return AppendString(AppendString(append(dst, byte(UserProperty)), key), value)
}
