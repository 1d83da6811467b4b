package packet

// A Connect is a CONNECT. MQTT 5.0, 3.1.
//
//	+----------------+-------+-------+------------+---------+
//	| protocol name  | level | flags | keep alive | props P |
//	+----------------+-------+-------+------------+---------+
//	| client id | [will props P, will topic, will payload] | [user name] | [password] |
type Connect struct {
	// Version is the protocol level. When Parse fails it is the version whose
	// answer the peer understands, or 0 when nothing may be sent.
	Version    Version
	Bridge     bool // level 0x83, 0x84: a bridge of 3.1, 3.1.1
	CleanStart bool // Clean Session before 5.0
	KeepAlive  uint16
	Properties Properties
	ClientID   []byte

	HasWill        bool
	WillQoS        byte
	WillRetain     bool
	WillProperties Properties
	WillTopic      []byte
	WillPayload    []byte

	HasUserName bool
	UserName    []byte
	HasPassword bool
	Password    []byte
}

const (
	flagReserved = 1 << iota
	flagCleanStart
	flagWill
	_
	_
	flagWillRetain
	flagPassword
	flagUserName
)

var (
	errName        = silent("MC3 protocol name is not MQTT")
	errNoLevel     = silent("MM8 CONNECT ends before its keep alive")
	errLevelName   = &Error{Code: UnsupportedProtocolVersion, Rule: "MC4 protocol name and level do not belong together"}
	errLevel       = &Error{Code: UnsupportedProtocolVersion, Rule: "MC4 unsupported protocol level"}
	errConnectBit  = malformed("MC5 reserved CONNECT flag is set")
	errWillFlags   = malformed("MC6 will flags without a will, or will QoS 3")
	errPasswordUse = malformed("MC7 password without user name")
	errClientID    = &Error{Code: ClientIdentifierNotValid, Rule: "MC8 client identifier is not UTF-8"}
	errWillTopic   = &Error{Code: TopicNameInvalid, Rule: "MV1 will topic is not a topic name"}
)

// Kind returns CONNECT.
func (c *Connect) Kind() Type { return CONNECT }

// ConnectVersion returns the version that the start of a CONNECT's body asks
// for, 0 while its name and level are not there or not known.
func ConnectVersion(body []byte) Version {
	var c Connect
	r := reader{b: body}
	if c.parseLevel(&r); r.err != nil {
		return 0
	}
	return c.Version
}

// Parse reads the body of a CONNECT. Its version comes from the packet, the
// argument is ignored.
func (c *Connect) Parse(rules *Rules, _ Version, flags byte, body []byte) error {
	*c = Connect{Properties: c.Properties, WillProperties: c.WillProperties}
	c.Properties.Reset()
	c.WillProperties.Reset()
	rules = rules.orDefault()
	r := reader{b: body}
	c.parseLevel(&r)
	if r.err != nil {
		return r.err
	}
	bits := r.byte()
	c.KeepAlive = r.u16()
	if r.err != nil {
		c.Version = 0
		return errNoLevel
	}
	if flags != 0 && c.Version != V31 {
		return errFlags
	}
	if err := c.applyFlags(bits); err != nil {
		return err
	}
	if c.Version >= V5 {
		c.Properties.parse(&r, rules, inConnect)
		if r.err == nil && c.Properties.Has(AuthenticationData) && !c.Properties.Has(AuthenticationMethod) {
			return errAuthData
		}
	}
	c.parsePayload(&r, rules)
	if r.err == nil && len(r.b) > 0 { // [MQTT-3.1.2-16] [MQTT-3.1.2-18] [3: MQTT-3.1.2-18] [3: MQTT-3.1.2-20]
		return errLeft
	}
	return r.err
}

// parseLevel reads name and level. [MQTT-3.1.2-1] [MQTT-3.1.2-2]
// [3: MQTT-3.1.2-1] [3: MQTT-3.1.2-2]
func (c *Connect) parseLevel(r *reader) {
	name := r.binary()
	if r.err != nil {
		r.err = errNoLevel
		return
	}
	new := string(name) == "MQTT"
	if !new && string(name) != "MQIsdp" {
		r.fail(errName)
		return
	}
	level := r.byte()
	if r.err != nil {
		r.err = errNoLevel
		return
	}
	c.Bridge = level == 0x83 || level == 0x84
	c.Version = Version(level)
	if c.Bridge {
		c.Version = Version(level & 0x7f)
	}
	switch {
	case c.Version < V31 || c.Version > V5:
		c.Version = V5
		r.fail(errLevel)
	case new == (c.Version == V31):
		c.Version = V311
		r.fail(errLevelName)
	}
}

func (c *Connect) applyFlags(bits byte) error {
	c.CleanStart = bits&flagCleanStart != 0
	c.HasWill = bits&flagWill != 0
	c.WillQoS = bits >> 3 & 3
	c.WillRetain = bits&flagWillRetain != 0
	c.HasPassword = bits&flagPassword != 0
	c.HasUserName = bits&flagUserName != 0
	if c.Version == V31 && !c.HasWill { // 3.1: they are disregarded
		c.WillQoS, c.WillRetain = 0, false
	}
	switch {
	case bits&flagReserved != 0 && c.Version != V31:
		return errConnectBit // [MQTT-3.1.2-3] [3: MQTT-3.1.2-3]
	case c.WillQoS == 3, !c.HasWill && (c.WillQoS != 0 || c.WillRetain):
		return errWillFlags // [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13] [3: MQTT-3.1.2-11] [3: MQTT-3.1.2-13] [3: MQTT-3.1.2-14] [3: MQTT-3.1.2-15]
	case c.Version == V311 && c.HasPassword && !c.HasUserName:
		return errPasswordUse // [3: MQTT-3.1.2-22]
	}
	return nil
}

// parsePayload reads the fields that the flags announce, in their order.
// [MQTT-3.1.3-1]
// [3: MQTT-3.1.3-1]
func (c *Connect) parsePayload(r *reader, rules *Rules) {
	c.ClientID = r.binary() // [MQTT-3.1.3-3] [3: MQTT-3.1.3-3]
	if r.err == nil && checkString(c.ClientID, rules.StrictUTF8) != nil {
		r.fail(errClientID) // [MQTT-3.1.3-4] [3: MQTT-3.1.3-4]
	}
	if c.HasWill { // [MQTT-3.1.2-9] [3: MQTT-3.1.2-9]
		c.parseWill(r, rules)
	}
	old := c.Version == V31 // 3.1: a flag whose field is missing counts as 0
	if c.HasUserName = c.HasUserName && !(old && r.err == nil && len(r.b) == 0); c.HasUserName {
		c.UserName = r.string(rules.StrictUTF8) // [MQTT-3.1.3-12] [MQTT-3.1.2-17] [3: MQTT-3.1.2-19] [3: MQTT-3.1.3-11]
	}
	if c.HasPassword = c.HasPassword && !(old && r.err == nil && len(r.b) == 0); !c.HasPassword {
		return
	}
	if !old {
		c.Password = r.binary() // [MQTT-3.1.2-19] [3: MQTT-3.1.2-21]
		return
	}
	c.Password = r.string(rules.StrictUTF8)
	if !c.HasUserName { // 3.1: ignored
		c.HasPassword, c.Password = false, nil
	}
}

func (c *Connect) parseWill(r *reader, rules *Rules) {
	if c.Version >= V5 {
		c.WillProperties.parse(r, rules, inWill)
	}
	c.WillTopic = r.binary()
	c.WillPayload = r.binary()
	if r.err != nil {
		return
	}
	bad, err := checkName(c.WillTopic, rules.StrictUTF8) // [MQTT-3.1.3-11] [3: MQTT-3.1.3-10]
	switch {
	case err != nil:
		r.fail(err)
	case bad || len(c.WillTopic) == 0:
		r.fail(errWillTopic)
	}
}

// AppendTo appends the packet as its own Version encodes it; the argument is
// ignored.
func (c *Connect) AppendTo(dst []byte, _ Version) []byte {
	v := c.Version
	name, level := "MQTT", byte(v)
	if v == V31 {
		name = "MQIsdp"
	}
	if c.Bridge {
		level |= 0x80
	}
	dst = AppendVarint(append(dst, byte(CONNECT)<<4), uint32(c.bodyLen()))
	dst = append(AppendString(dst, name), level, c.bits())
	dst = appendU16(dst, c.KeepAlive)
	dst = c.Properties.appendTo(dst, v)
	dst = AppendString(dst, c.ClientID)
	if c.HasWill {
		dst = c.WillProperties.appendTo(dst, v)
		dst = AppendString(dst, c.WillTopic)
		dst = AppendString(dst, c.WillPayload)
	}
	if c.HasUserName {
		dst = AppendString(dst, c.UserName)
	}
	if c.HasPassword {
		dst = AppendString(dst, c.Password)
	}
	return dst
}

func (c *Connect) bits() byte {
	bits := c.WillQoS << 3
	for _, f := range [...]struct {
		on  bool
		bit byte
	}{{c.CleanStart, flagCleanStart}, {c.HasWill, flagWill}, {c.WillRetain, flagWillRetain}, {c.HasPassword, flagPassword}, {c.HasUserName, flagUserName}} {
		if f.on {
			bits |= f.bit
		}
	}
	return bits
}

func (c *Connect) bodyLen() int {
	n := 10 + c.Properties.size(c.Version) + 2 + len(c.ClientID)
	if c.Version == V31 {
		n += 2
	}
	if c.HasWill {
		n += c.WillProperties.size(c.Version) + 4 + len(c.WillTopic) + len(c.WillPayload)
	}
	if c.HasUserName {
		n += 2 + len(c.UserName)
	}
	if c.HasPassword {
		n += 2 + len(c.Password)
	}
	return n
}
