package packet

import "unicode/utf8"

// Register is REGISTER (section 5.4.10).
//
//	| Length | 0x0A | TopicId(2) | MsgId(2) | TopicName(n) |
type Register struct {
	TopicID uint16 // 0 from a client
	MsgID   uint16
	Name    []byte
}

// ParseRegister reads a REGISTER body.
func ParseRegister(b []byte) (p Register, err error) {
	if len(b) < 4 {
		return p, ErrLength
	}
	if !utf8.Valid(b[4:]) {
		return p, ErrUTF8
	}
	return Register{be16(b), be16(b[2:]), b[4:]}, nil
}

// Type implements Packet.
func (p Register) Type() Type { return REGISTER }

// Len implements Packet.
func (p Register) Len() int { return size(4 + len(p.Name)) }

// AppendTo implements Packet.
func (p Register) AppendTo(b []byte) []byte {
	b = appendHeader(b, REGISTER, 4+len(p.Name))
	return append(append16(b, p.TopicID, p.MsgID), p.Name...)
}
