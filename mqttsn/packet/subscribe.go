package packet

import "unicode/utf8"

// Subscribe is SUBSCRIBE (section 5.4.15).
//
//	| Length | 0x12 | Flags(DUP, QoS, TopicIdType) | MsgId(2) | TopicName(n) or TopicId(2) |
type Subscribe struct {
	Dup   bool
	QoS   QoS // -1..2
	MsgID uint16
	Topic
}

// Unsubscribe is UNSUBSCRIBE (section 5.4.17).
//
//	| Length | 0x14 | Flags(TopicIdType) | MsgId(2) | TopicName(n) or TopicId(2) |
type Unsubscribe struct {
	MsgID uint16
	Topic
}

// Topic is what SUBSCRIBE and UNSUBSCRIBE name: an id if Kind is Predefined,
// else a name (of two octets if Short).
type Topic struct {
	Kind TopicKind
	ID   uint16
	Name []byte
}

func parseTopic(flags byte, b []byte) (t Topic, err error) {
	t.Kind = TopicKind(flags & maskKind)
	switch t.Kind {
	case Predefined:
		if len(b) != 2 {
			return t, ErrLength
		}
		t.ID = be16(b)
		return t, nil
	case Short:
		if len(b) != 2 {
			return t, ErrLength
		}
	case Normal:
		if !utf8.Valid(b) {
			return t, ErrUTF8
		}
	}
	t.Name = b
	return t, nil
}

func (t Topic) len() int {
	if t.Kind == Predefined {
		return 2
	}
	return len(t.Name)
}

func (t Topic) appendTo(b []byte) []byte {
	if t.Kind == Predefined {
		return append16(b, t.ID)
	}
	return append(b, t.Name...)
}

// ParseSubscribe reads a SUBSCRIBE body.
func ParseSubscribe(b []byte) (p Subscribe, err error) {
	if len(b) < 3 {
		return p, ErrLength
	}
	p = Subscribe{Dup: b[0]&flagDup != 0, QoS: qosOf(b[0]), MsgID: be16(b[1:])}
	p.Topic, err = parseTopic(b[0], b[3:])
	return p, err
}

// Type implements Packet.
func (p Subscribe) Type() Type { return SUBSCRIBE }

// Len implements Packet.
func (p Subscribe) Len() int { return size(3 + p.Topic.len()) }

// AppendTo implements Packet.
func (p Subscribe) AppendTo(b []byte) []byte {
	b = appendHeader(b, SUBSCRIBE, 3+p.Topic.len())
	b = append(b, bit(p.Dup, flagDup)|p.QoS.bits()|byte(p.Kind&maskKind))
	return p.Topic.appendTo(append16(b, p.MsgID))
}

// ParseUnsubscribe reads an UNSUBSCRIBE body.
func ParseUnsubscribe(b []byte) (p Unsubscribe, err error) {
	if len(b) < 3 {
		return p, ErrLength
	}
	p.MsgID = be16(b[1:])
	p.Topic, err = parseTopic(b[0], b[3:])
	return p, err
}

// Type implements Packet.
func (p Unsubscribe) Type() Type { return UNSUBSCRIBE }

// Len implements Packet.
func (p Unsubscribe) Len() int { return size(3 + p.Topic.len()) }

// AppendTo implements Packet.
func (p Unsubscribe) AppendTo(b []byte) []byte {
	b = appendHeader(b, UNSUBSCRIBE, 3+p.Topic.len())
	b = append(b, byte(p.Kind&maskKind))
	return p.Topic.appendTo(append16(b, p.MsgID))
}

// SubAck is SUBACK (section 5.4.16).
//
//	| 8 | 0x13 | Flags(QoS) | TopicId(2) | MsgId(2) | ReturnCode |
type SubAck struct {
	QoS     QoS    // granted, 0..2
	TopicID uint16 // 0 for a wildcard or short name
	MsgID   uint16
	Code    Code
}

// ParseSubAck reads a SUBACK body.
func ParseSubAck(b []byte) (p SubAck, err error) {
	if len(b) != 6 {
		return p, ErrLength
	}
	p = SubAck{qosOf(b[0]), be16(b[1:]), be16(b[3:]), Code(b[5])}
	if p.QoS < 0 {
		return p, ErrFlags
	}
	return p, nil
}

// Type implements Packet.
func (p SubAck) Type() Type { return SUBACK }

// Len implements Packet.
func (p SubAck) Len() int { return 8 }

// AppendTo implements Packet.
func (p SubAck) AppendTo(b []byte) []byte {
	b = append16(append(b, 8, byte(SUBACK), p.QoS.bits()), p.TopicID, p.MsgID)
	return append(b, byte(p.Code))
}
