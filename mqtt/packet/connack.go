package packet

// A Connack is a CONNACK. MQTT 5.0, 3.2.
//
//	+-------------------+------+---------+
//	| bit 0 = present   | code | props P |
//	+-------------------+------+---------+
type Connack struct {
	SessionPresent bool
	Code           Code // of 3.x when the version is
	Properties     Properties
}

var (
	errConnackFlags = malformed("MC13 reserved CONNACK flag is set")
	errConnackCode  = protocol("MC13 code that CONNACK may not carry")
	errConnackPres  = protocol("MC13 session present beside a refusal")
)

// Kind returns CONNACK.
func (c *Connack) Kind() Type { return CONNACK }

// Parse reads the body of a CONNACK.
func (c *Connack) Parse(rules *Rules, v Version, _ byte, body []byte) error {
	rules = rules.orDefault()
	r := reader{b: body}
	bits := r.byte()
	c.Code = Code(r.byte())
	c.SessionPresent = bits&1 != 0
	if v >= V5 {
		c.Properties.parse(&r, rules, inConnack)
	} else {
		c.Properties.Reset()
	}
	switch {
	case r.err != nil:
		return r.err
	case len(r.b) > 0:
		return errLeft
	case bits&^1 != 0 && v != V31, bits&1 != 0 && v == V31:
		return errConnackFlags // [MQTT-3.2.2-1]
	case c.Code != Success && c.SessionPresent:
		return errConnackPres // [MQTT-3.2.2-6]
	case v >= V5 && !c.Code.validIn(inConnack), v < V5 && c.Code > NotAuthorized3:
		return errConnackCode // [MQTT-3.2.2-8]
	case c.Properties.Has(AuthenticationData) && !c.Properties.Has(AuthenticationMethod):
		return errAuthData
	}
	return nil
}

// Len returns the bytes that AppendTo appends.
func (c *Connack) Len(v Version) int {
	n := 2 + c.Properties.size(v)
	return 1 + VarintLen(uint32(n)) + n
}

// AppendTo appends the packet. In 3.1 there is no session present.
// [MQTT-3.2.2-1]
func (c *Connack) AppendTo(dst []byte, v Version) []byte {
	var bits byte
	if c.SessionPresent && v != V31 {
		bits = 1
	}
	dst = AppendVarint(append(dst, byte(CONNACK)<<4), uint32(2+c.Properties.size(v)))
	return c.Properties.appendTo(append(dst, bits, byte(c.Code)), v)
}
