package packet

// Advertise is ADVERTISE (section 5.4.1).
//
//	| 5 | 0x00 | GwId | Duration(2) |
type Advertise struct {
	GatewayID uint8
	Duration  uint16 // seconds to the next one
}

// ParseAdvertise reads an ADVERTISE body.
func ParseAdvertise(b []byte) (p Advertise, err error) {
	if len(b) != 3 {
		return p, ErrLength
	}
	return Advertise{b[0], be16(b[1:])}, nil
}

// Type implements Packet.
func (p Advertise) Type() Type { return ADVERTISE }

// Len implements Packet.
func (p Advertise) Len() int { return 5 }

// AppendTo implements Packet.
func (p Advertise) AppendTo(b []byte) []byte {
	return append16(append(b, 5, byte(ADVERTISE), p.GatewayID), p.Duration)
}

// SearchGW is SEARCHGW (section 5.4.2).
//
//	| 3 | 0x01 | Radius |
type SearchGW struct{ Radius uint8 }

// ParseSearchGW reads a SEARCHGW body.
func ParseSearchGW(b []byte) (p SearchGW, err error) {
	if len(b) != 1 {
		return p, ErrLength
	}
	return SearchGW{b[0]}, nil
}

// Type implements Packet.
func (p SearchGW) Type() Type { return SEARCHGW }

// Len implements Packet.
func (p SearchGW) Len() int { return 3 }

// AppendTo implements Packet.
func (p SearchGW) AppendTo(b []byte) []byte { return append(b, 3, byte(SEARCHGW), p.Radius) }

// GWInfo is GWINFO (section 5.4.3).
//
//	| Length | 0x02 | GwId | GwAdd(n): only when a client answers for a gateway |
type GWInfo struct {
	GatewayID uint8
	Address   []byte
}

// ParseGWInfo reads a GWINFO body.
func ParseGWInfo(b []byte) (p GWInfo, err error) {
	if len(b) < 1 {
		return p, ErrLength
	}
	return GWInfo{b[0], b[1:]}, nil
}

// Type implements Packet.
func (p GWInfo) Type() Type { return GWINFO }

// Len implements Packet.
func (p GWInfo) Len() int { return size(1 + len(p.Address)) }

// AppendTo implements Packet.
func (p GWInfo) AppendTo(b []byte) []byte {
	b = appendHeader(b, GWINFO, 1+len(p.Address))
	return append(append(b, p.GatewayID), p.Address...)
}
