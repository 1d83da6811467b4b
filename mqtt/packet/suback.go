package packet

// A Suback is a SUBACK. MQTT 5.0, 3.9.
//
//	+-----------+---------+------+- -
//	| packet id | props P | code | one per filter, in order
//	+-----------+---------+------+- -
type Suback struct {
	ID         uint16
	Properties Properties
	Codes      []byte // each a Code
}

var errSubackCode = protocol("MB1 code that SUBACK may not carry")

// Kind returns SUBACK.
func (s *Suback) Kind() Type { return SUBACK }

// Parse reads the body of a SUBACK.
func (s *Suback) Parse(rules *Rules, v Version, _ byte, body []byte) error {
	err := parseCodes(rules, v, body, inSuback, &s.ID, &s.Properties, &s.Codes)
	if err != nil {
		return err
	}
	for _, c := range s.Codes {
		ok := Code(c).validIn(inSuback) // [MQTT-3.9.3-2]
		if v < V5 {
			ok = c < 3 || v == V311 && Code(c) == SubackFailure3
		}
		if !ok {
			return errSubackCode
		}
	}
	return nil
}

// parseCodes reads what SUBACK and UNSUBACK share.
func parseCodes(rules *Rules, v Version, body []byte, at places, id *uint16, props *Properties, codes *[]byte) error {
	r := reader{b: body}
	*id = r.id()
	if v >= V5 {
		props.parse(&r, rules.orDefault(), at)
	} else {
		props.Reset()
	}
	*codes = r.b
	return r.err
}

// Len returns the bytes that AppendTo appends.
func (s *Suback) Len(v Version) int {
	n := 2 + s.Properties.size(v) + len(s.Codes)
	return 1 + VarintLen(uint32(n)) + n
}

// AppendTo appends the packet.
// [3: MQTT-3.9.3-2]
func (s *Suback) AppendTo(dst []byte, v Version) []byte {
	dst = AppendVarint(append(dst, byte(SUBACK)<<4), uint32(2+s.Properties.size(v)+len(s.Codes)))
	return append(s.Properties.appendTo(appendU16(dst, s.ID), v), s.Codes...)
}
