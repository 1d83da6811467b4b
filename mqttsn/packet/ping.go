package packet

import "unicode/utf8"

// PingReq is PINGREQ (section 5.4.19).
//
//	| Length | 0x16 | ClientId(n): only when a sleeping client wakes |
type PingReq struct{ ClientID []byte }

// ParsePingReq reads a PINGREQ body.
func ParsePingReq(b []byte) (p PingReq, err error) {
	if !utf8.Valid(b) {
		return p, ErrUTF8
	}
	return PingReq{b}, nil
}

// Type implements Packet.
func (p PingReq) Type() Type { return PINGREQ }

// Len implements Packet.
func (p PingReq) Len() int { return size(len(p.ClientID)) }

// AppendTo implements Packet.
func (p PingReq) AppendTo(b []byte) []byte {
	return append(appendHeader(b, PINGREQ, len(p.ClientID)), p.ClientID...)
}
