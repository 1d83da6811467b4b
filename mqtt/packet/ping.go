package packet

// A Ping is a PINGREQ or a PINGRESP: a header and nothing else. MQTT 5.0,
// 3.12, 3.13.
type Ping struct{ Type Type }

// Kind returns the type.
func (p *Ping) Kind() Type { return p.Type }

// Parse checks that there is no body.
func (p *Ping) Parse(_ *Rules, _ Version, _ byte, body []byte) error {
	if len(body) > 0 {
		return errPingBody
	}
	return nil
}

// AppendTo appends the packet.
func (p *Ping) AppendTo(dst []byte, _ Version) []byte { return append(dst, byte(p.Type)<<4, 0) }
