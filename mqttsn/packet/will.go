package packet

import "unicode/utf8"

// WillTopic is WILLTOPIC, or WILLTOPICUPD if Update (sections 5.4.7, 5.4.23).
//
//	| Length | 0x07 or 0x1A | Flags(QoS, Retain) | WillTopic(n) |
//
// The form of two octets in all means no will, or delete the will: None.
type WillTopic struct {
	Update bool
	None   bool
	QoS    QoS // 0..2
	Retain bool
	Topic  []byte
}

// ParseWillTopic reads the body of a packet of type t.
func ParseWillTopic(t Type, b []byte) (p WillTopic, err error) {
	p.Update = t == WILLTOPICUPD
	if len(b) == 0 {
		p.None = true
		return p, nil
	}
	if p.QoS = qosOf(b[0]); p.QoS < 0 {
		return p, ErrFlags
	}
	if !utf8.Valid(b[1:]) {
		return p, ErrUTF8
	}
	p.Retain, p.Topic = b[0]&flagRetain != 0, b[1:]
	return p, nil
}

// Type implements Packet.
func (p WillTopic) Type() Type {
	if p.Update {
		return WILLTOPICUPD
	}
	return WILLTOPIC
}

// Len implements Packet.
func (p WillTopic) Len() int {
	if p.None {
		return 2
	}
	return size(1 + len(p.Topic))
}

// AppendTo implements Packet.
func (p WillTopic) AppendTo(b []byte) []byte {
	if p.None {
		return appendHeader(b, p.Type(), 0)
	}
	b = appendHeader(b, p.Type(), 1+len(p.Topic))
	b = append(b, p.QoS.bits()|bit(p.Retain, flagRetain))
	return append(b, p.Topic...)
}

// WillMsg is WILLMSG, or WILLMSGUPD if Update (sections 5.4.9, 5.4.25).
//
//	| Length | 0x09 or 0x1C | WillMsg(n) |
type WillMsg struct {
	Update  bool
	Payload []byte
}

// ParseWillMsg reads the body of a packet of type t.
func ParseWillMsg(t Type, b []byte) (WillMsg, error) {
	return WillMsg{t == WILLMSGUPD, b}, nil
}

// Type implements Packet.
func (p WillMsg) Type() Type {
	if p.Update {
		return WILLMSGUPD
	}
	return WILLMSG
}

// Len implements Packet.
func (p WillMsg) Len() int { return size(len(p.Payload)) }

// AppendTo implements Packet.
func (p WillMsg) AppendTo(b []byte) []byte {
	return append(appendHeader(b, p.Type(), len(p.Payload)), p.Payload...)
}
