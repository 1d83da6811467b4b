package packet

import "unicode/utf8"

// Publish is PUBLISH (section 5.4.12).
//
//	| Length | 0x0C | Flags(DUP, QoS, Retain, TopicIdType) | TopicId(2) | MsgId(2) | Data(n) |
type Publish struct {
	Dup     bool
	QoS     QoS // -1..2
	Retain  bool
	Kind    TopicKind
	TopicID uint16 // of kind Short: the two octets of the name
	MsgID   uint16 // 0 for QoS 0 and -1
	Data    []byte
}

// ParsePublish reads a PUBLISH body.
func ParsePublish(b []byte) (p Publish, err error) {
	if len(b) < 5 {
		return p, ErrLength
	}
	return Publish{
		Dup:     b[0]&flagDup != 0,
		QoS:     qosOf(b[0]),
		Retain:  b[0]&flagRetain != 0,
		Kind:    TopicKind(b[0] & maskKind),
		TopicID: be16(b[1:]),
		MsgID:   be16(b[3:]),
		Data:    b[5:],
	}, nil
}

// Type implements Packet.
func (p Publish) Type() Type { return PUBLISH }

// Len implements Packet.
func (p Publish) Len() int { return size(5 + len(p.Data)) }

// AppendTo implements Packet.
func (p Publish) AppendTo(b []byte) []byte {
	b = appendHeader(b, PUBLISH, 5+len(p.Data))
	b = append(b, bit(p.Dup, flagDup)|p.QoS.bits()|bit(p.Retain, flagRetain)|byte(p.Kind&maskKind))
	return append(append16(b, p.TopicID, p.MsgID), p.Data...)
}

// LongName reads a QoS -1 publish of kind Normal by the extension that RSMB
// and the Paho client library speak: TopicID is the length of a topic name
// that stands before the data.
func (p Publish) LongName() (name, data []byte, ok bool) {
	n := int(p.TopicID)
	if p.QoS != -1 || p.Kind != Normal || n == 0 || n > len(p.Data) || !utf8.Valid(p.Data[:n]) {
		return nil, nil, false
	}
	return p.Data[:n:n], p.Data[n:], true
}

// LongPublish is a QoS -1 PUBLISH that carries its topic name: see
// Publish.LongName. The name has 1 to 65,535 octets.
type LongPublish struct {
	Retain     bool
	Name, Data []byte
}

// Type implements Packet.
func (p LongPublish) Type() Type { return PUBLISH }

// Len implements Packet.
func (p LongPublish) Len() int { return size(5 + len(p.Name) + len(p.Data)) }

// AppendTo implements Packet.
func (p LongPublish) AppendTo(b []byte) []byte {
	b = appendHeader(b, PUBLISH, 5+len(p.Name)+len(p.Data))
	b = append(b, QoS(-1).bits()|bit(p.Retain, flagRetain))
	b = append16(b, uint16(len(p.Name)), 0)
	return append(append(b, p.Name...), p.Data...)
}
