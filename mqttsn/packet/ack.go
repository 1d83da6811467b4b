package packet

// TopicAck is REGACK or PUBACK (sections 5.4.11 and 5.4.13).
//
//	| 7 | 0x0B or 0x0D | TopicId(2) | MsgId(2) | ReturnCode |
type TopicAck struct {
	Of      Type
	TopicID uint16
	MsgID   uint16
	Code    Code
}

// ParseTopicAck reads the body of a packet of type t.
func ParseTopicAck(t Type, b []byte) (p TopicAck, err error) {
	if len(b) != 5 {
		return p, ErrLength
	}
	return TopicAck{t, be16(b), be16(b[2:]), Code(b[4])}, nil
}

// Type implements Packet.
func (p TopicAck) Type() Type { return p.Of }

// Len implements Packet.
func (p TopicAck) Len() int { return 7 }

// AppendTo implements Packet.
func (p TopicAck) AppendTo(b []byte) []byte {
	b = append16(append(b, 7, byte(p.Of)), p.TopicID, p.MsgID)
	return append(b, byte(p.Code))
}

// Ack is PUBREC, PUBREL, PUBCOMP or UNSUBACK: a message id alone (sections
// 5.4.14 and 5.4.18).
//
//	| 4 | Type | MsgId(2) |
type Ack struct {
	Of    Type
	MsgID uint16
}

// ParseAck reads the body of a packet of type t.
func ParseAck(t Type, b []byte) (p Ack, err error) {
	if len(b) != 2 {
		return p, ErrLength
	}
	return Ack{t, be16(b)}, nil
}

// Type implements Packet.
func (p Ack) Type() Type { return p.Of }

// Len implements Packet.
func (p Ack) Len() int { return 4 }

// AppendTo implements Packet.
func (p Ack) AppendTo(b []byte) []byte { return append16(append(b, 4, byte(p.Of)), p.MsgID) }
