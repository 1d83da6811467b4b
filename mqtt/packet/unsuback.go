package packet

// An Unsuback is an UNSUBACK. MQTT 5.0, 3.11.
//
//	+-----------+---------+------+- -
//	| packet id | props P | code | one per filter, in order; 3.x: the id alone
//	+-----------+---------+------+- -
type Unsuback struct {
	ID         uint16
	Properties Properties
	Codes      []byte // each a Code; none before 5.0
}

var errUnsubackCode = protocol("MB9 code that UNSUBACK may not carry")

// Kind returns UNSUBACK.
func (u *Unsuback) Kind() Type { return UNSUBACK }

// Parse reads the body of an UNSUBACK.
func (u *Unsuback) Parse(rules *Rules, v Version, _ byte, body []byte) error {
	err := parseCodes(rules, v, body, inUnsuback, &u.ID, &u.Properties, &u.Codes)
	if err != nil {
		return err
	}
	if v < V5 && len(u.Codes) > 0 {
		return errLeft
	}
	for _, c := range u.Codes {
		if !Code(c).validIn(inUnsuback) {
			return errUnsubackCode // [MQTT-3.11.3-2]
		}
	}
	return nil
}

// Len returns the bytes that AppendTo appends.
func (u *Unsuback) Len(v Version) int {
	n := u.bodyLen(v)
	return 1 + VarintLen(uint32(n)) + n
}

func (u *Unsuback) bodyLen(v Version) int {
	if v < V5 {
		return 2
	}
	return 2 + u.Properties.size(v) + len(u.Codes)
}

// AppendTo appends the packet.
func (u *Unsuback) AppendTo(dst []byte, v Version) []byte {
	dst = AppendVarint(append(dst, byte(UNSUBACK)<<4), uint32(u.bodyLen(v)))
	dst = u.Properties.appendTo(appendU16(dst, u.ID), v)
	if v < V5 {
		return dst
	}
	return append(dst, u.Codes...)
}
