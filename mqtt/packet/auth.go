package packet

// An Auth is an AUTH, which 5.0 alone has. MQTT 5.0, 3.15.
//
//	+--------+-----------+
//	| [code] | [props P] |
//	+--------+-----------+
type Auth struct {
	Code       Code
	Properties Properties
}

var errAuthCode = protocol("ME3 code that this AUTH may not carry")

// Kind returns AUTH.
func (a *Auth) Kind() Type { return AUTH }

// Parse reads the body of an AUTH.
func (a *Auth) Parse(rules *Rules, v Version, _ byte, body []byte) error {
	if v < V5 {
		return errAuth3
	}
	rules = rules.orDefault()
	a.Code = Success
	a.Properties.Reset()
	r := reader{b: body}
	at := placeOf(AUTH, rules.From)
	if len(r.b) > 0 {
		a.Code = Code(r.byte())
	}
	if len(r.b) > 0 {
		a.Properties.parse(&r, rules, at)
	}
	switch {
	case r.err != nil:
		return r.err
	case len(r.b) > 0:
		return errLeft
	case !a.Code.validIn(at):
		return errAuthCode // [MQTT-3.15.2-1]
	case a.Properties.Has(AuthenticationData) && !a.Properties.Has(AuthenticationMethod):
		return errAuthData
	}
	return nil
}

// Len returns the bytes that AppendTo appends.
func (a *Auth) Len(v Version) int {
	n := codePropsLen(v, a.Code, &a.Properties)
	return 1 + VarintLen(uint32(n)) + n
}

// AppendTo appends the packet in its shortest form.
func (a *Auth) AppendTo(dst []byte, v Version) []byte {
	return appendCodeProps(append(dst, byte(AUTH)<<4), v, a.Code, &a.Properties)
}
