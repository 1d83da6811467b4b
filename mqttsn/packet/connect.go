package packet

import "unicode/utf8"

// Connect is CONNECT (section 5.4.4).
//
//	| Length | 0x04 | Flags(Will, Clean) | ProtocolId | Duration(2) | ClientId(n) |
type Connect struct {
	Will, Clean bool
	ProtocolID  uint8
	Duration    uint16 // keep-alive, seconds
	ClientID    []byte
}

// ParseConnect reads a CONNECT body. An empty or over-long client id is the
// caller's to refuse, since it deserves an answer.
func ParseConnect(b []byte) (p Connect, err error) {
	if len(b) < 4 {
		return p, ErrLength
	}
	if !utf8.Valid(b[4:]) {
		return p, ErrUTF8
	}
	return Connect{
		Will:       b[0]&flagWill != 0,
		Clean:      b[0]&flagClean != 0,
		ProtocolID: b[1],
		Duration:   be16(b[2:]),
		ClientID:   b[4:],
	}, nil
}

// Type implements Packet.
func (p Connect) Type() Type { return CONNECT }

// Len implements Packet.
func (p Connect) Len() int { return size(4 + len(p.ClientID)) }

// AppendTo implements Packet.
func (p Connect) AppendTo(b []byte) []byte {
	b = appendHeader(b, CONNECT, 4+len(p.ClientID))
	b = append(b, bit(p.Will, flagWill)|bit(p.Clean, flagClean), p.ProtocolID)
	b = append16(b, p.Duration)
	return append(b, p.ClientID...)
}

// Result is CONNACK, WILLTOPICRESP or WILLMSGRESP: a return code alone
// (sections 5.4.5, 5.4.24 and 5.4.26).
type Result struct {
	Of   Type
	Code Code
}

// ParseResult reads the body of a packet of type t.
func ParseResult(t Type, b []byte) (p Result, err error) {
	if len(b) != 1 {
		return p, ErrLength
	}
	return Result{t, Code(b[0])}, nil
}

// Type implements Packet.
func (p Result) Type() Type { return p.Of }

// Len implements Packet.
func (p Result) Len() int { return 3 }

// AppendTo implements Packet.
func (p Result) AppendTo(b []byte) []byte { return append(b, 3, byte(p.Of), byte(p.Code)) }

// Bare is a packet without a body: WILLTOPICREQ, WILLMSGREQ, PINGRESP.
type Bare struct{ Of Type }

// ParseBare checks that the body of a packet of type t is empty.
func ParseBare(t Type, b []byte) (p Bare, err error) {
	if len(b) != 0 {
		return p, ErrLength
	}
	return Bare{t}, nil
}

// Type implements Packet.
func (p Bare) Type() Type { return p.Of }

// Len implements Packet.
func (p Bare) Len() int { return 2 }

// AppendTo implements Packet.
func (p Bare) AppendTo(b []byte) []byte { return append(b, 2, byte(p.Of)) }
