package packet

// An Ack is a PUBACK, PUBREC, PUBREL or PUBCOMP. MQTT 5.0, 3.4 to 3.7.
//
//	+-----------+--------+-----------+
//	| packet id | [code] | [props P] |     3.x: the packet id alone
//	+-----------+--------+-----------+
type Ack struct {
	Type       Type // must be set before Parse
	ID         uint16
	Code       Code
	Properties Properties
}

var errAckCode = protocol("MM20 code that this acknowledgement may not carry")

// Kind returns the type.
func (a *Ack) Kind() Type { return a.Type }

// Parse reads the body of an acknowledgement of a.Type.
func (a *Ack) Parse(rules *Rules, v Version, _ byte, body []byte) error {
	r := reader{b: body}
	a.ID = r.id()
	a.Code = Success
	a.Properties.Reset()
	if r.err != nil || len(r.b) == 0 {
		return r.err
	}
	if v < V5 {
		return errLeft
	}
	a.Code = Code(r.byte())
	if !a.Code.ValidIn(a.Type, Server) { // mosquitto's bridges send 0x10 as well, which clients should not
		return errAckCode // [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
	}
	if len(r.b) > 0 {
		a.Properties.parse(&r, rules.orDefault(), placeOf(a.Type, rules.orDefault().From))
	}
	if r.err == nil && len(r.b) > 0 {
		return errLeft
	}
	return r.err
}

// Len returns the bytes that AppendTo appends.
func (a *Ack) Len(v Version) int {
	n := a.bodyLen(v)
	return 1 + VarintLen(uint32(n)) + n
}

func (a *Ack) bodyLen(v Version) int {
	switch {
	case v < V5, a.Code == Success && a.Properties.Empty():
		return 2
	case a.Properties.Empty():
		return 3
	}
	return 3 + a.Properties.size(v)
}

// AppendTo appends the packet in its shortest form.
func (a *Ack) AppendTo(dst []byte, v Version) []byte {
	n := a.bodyLen(v)
	dst = append(dst, byte(a.Type)<<4|headers[a.Type].flags)
	dst = appendU16(AppendVarint(dst, uint32(n)), a.ID)
	if n > 2 {
		dst = append(dst, byte(a.Code))
	}
	if n > 3 {
		dst = a.Properties.appendTo(dst, v)
	}
	return dst
}

// AppendAck appends an acknowledgement without properties.
func AppendAck(dst []byte, v Version, t Type, id uint16, code Code) []byte {
	first := byte(t)<<4 | headers[t].flags
	if v < V5 || code == Success {
		return append(dst, first, 2, byte(id>>8), byte(id))
	}
	return append(dst, first, 3, byte(id>>8), byte(id), byte(code))
}
