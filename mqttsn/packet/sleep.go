package packet

// Disconnect is DISCONNECT (section 5.4.21).
//
//	| 2 or 4 | 0x18 | Duration(2): only to ask for sleep |
//
// Duration is in seconds; 0 is a plain disconnect and is left out when sent.
type Disconnect struct{ Duration uint16 }

// ParseDisconnect reads a DISCONNECT body.
func ParseDisconnect(b []byte) (p Disconnect, err error) {
	switch len(b) {
	case 0:
		return p, nil
	case 2:
		return Disconnect{be16(b)}, nil
	}
	return p, ErrLength
}

// Type implements Packet.
func (p Disconnect) Type() Type { return DISCONNECT }

// Len implements Packet.
func (p Disconnect) Len() int {
	if p.Duration == 0 {
		return 2
	}
	return 4
}

// AppendTo implements Packet.
func (p Disconnect) AppendTo(b []byte) []byte {
	if p.Duration == 0 {
		return append(b, 2, byte(DISCONNECT))
	}
	return append16(append(b, 4, byte(DISCONNECT)), p.Duration)
}
