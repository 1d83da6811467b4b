package packet

// A Disconnect is a DISCONNECT. MQTT 5.0, 3.14.
//
//	+--------+-----------+
//	| [code] | [props P] |     3.x: nothing, and from the client alone
//	+--------+-----------+
type Disconnect struct {
	Code       Code
	Properties Properties
}

// errDisconnectCode closes without an answer: the peer is leaving anyway.
var errDisconnectCode = &Error{Code: ProtocolError, Rule: "MX1 code that this DISCONNECT may not carry", Silent: true}

// Kind returns DISCONNECT.
func (d *Disconnect) Kind() Type { return DISCONNECT }

// Parse reads the body of a DISCONNECT.
func (d *Disconnect) Parse(rules *Rules, v Version, _ byte, body []byte) error {
	rules = rules.orDefault()
	d.Code = Success
	d.Properties.Reset()
	if len(body) == 0 {
		return nil
	}
	if v < V5 {
		return errLeft
	}
	r := reader{b: body}
	at := placeOf(DISCONNECT, rules.From)
	d.Code = Code(r.byte())
	if len(r.b) > 0 {
		d.Properties.parse(&r, rules, at)
	}
	switch {
	case r.err != nil:
		return r.err
	case len(r.b) > 0:
		return errLeft
	case !d.Code.validIn(at):
		return errDisconnectCode // [MQTT-3.14.2-1]
	}
	return nil
}

// Len returns the bytes that AppendTo appends.
func (d *Disconnect) Len(v Version) int {
	n := codePropsLen(v, d.Code, &d.Properties)
	return 1 + VarintLen(uint32(n)) + n
}

// AppendTo appends the packet in its shortest form.
func (d *Disconnect) AppendTo(dst []byte, v Version) []byte {
	return appendCodeProps(append(dst, byte(DISCONNECT)<<4), v, d.Code, &d.Properties)
}

// codePropsLen is the body that DISCONNECT and AUTH share.
func codePropsLen(v Version, c Code, p *Properties) int {
	switch {
	case v < V5, c == Success && p.Empty():
		return 0
	case p.Empty():
		return 1
	}
	return 1 + p.size(v)
}

func appendCodeProps(dst []byte, v Version, c Code, p *Properties) []byte {
	n := codePropsLen(v, c, p)
	dst = AppendVarint(dst, uint32(n))
	if n > 0 {
		dst = append(dst, byte(c))
	}
	if n > 1 {
		dst = p.appendTo(dst, v)
	}
	return dst
}
