// Package message is the wire format of CoAP over UDP: the four-octet header,
// the token, the options and the payload (RFC 7252, section 3), with the codes
// and option numbers of RFC 7252, 7641, 7959, 7967, 8132, 8516 and 9175, the
// block value (RFC 7959, section 2.2) and the content formats.
//
// The option codec is our own rather than go-coap's: that one neither tells an
// illegal length from an absent option nor keeps type and message id on an
// error, wants a slice sized beforehand, and trusts the order when it writes.
// The loop that replaces it is shorter than the checks around it would be, and
// leaves the package with the standard library only. The tests compare the two.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Ver| T |  TKL  |      Code     |          Message ID           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Token (0 to 8 octets) ... | Options ... | 0xff | Payload ...
package message

import (
	"encoding/binary"
	"fmt"
	"strings"
)

const (
	headerLen     = 4
	version       = 1
	payloadMarker = 0xff
)

// Message is one CoAP message. What Parse fills in borrows from the datagram:
// option values and the payload are valid as long as the datagram is. A Message
// that is parsed into again reuses its option slice, so that a loop with one
// Message allocates nothing.
type Message struct {
	Type    Type
	Code    Code
	ID      uint16 // message id
	Token   Token
	Options Options // ascending by number
	Payload []byte  // nil when there is none
	// Excess says that more than MaxOptions options came; those beyond were
	// checked but not kept.
	Excess bool
}

// Parse reads the datagram data into m. An error is always a *FormatError; if
// it is not Silent, Type and ID of m are valid, which is all that a rejection
// needs (RFC 7252, section 4.2). A truncated datagram wraps
// io.ErrUnexpectedEOF.
func Parse(data []byte, m *Message) error {
	*m = Message{Options: m.Options[:0]}
	if len(data) < headerLen {
		return ErrShort
	}
	if data[0]>>6 != version {
		return ErrVersion // RFC 7252, section 3: silently ignored
	}
	m.Type = Type(data[0] >> 4 & 3)
	m.Code = Code(data[1])
	m.ID = binary.BigEndian.Uint16(data[2:])
	tkl := int(data[0] & 0x0f)
	if tkl > MaxTokenLen {
		return ErrTokenLength
	}
	if err := checkCode(m.Type, m.Code); err != nil {
		return err
	}
	rest := data[headerLen:]
	if m.Code == Empty {
		if tkl != 0 || len(rest) != 0 {
			return ErrNotEmpty // RFC 7252, section 4.1
		}
		return nil
	}
	if len(rest) < tkl {
		return ErrTruncated
	}
	m.Token = makeToken(rest[:tkl])
	return m.parseOptions(rest[tkl:])
}

// checkCode refuses the combinations of RFC 7252, section 4.3, table 1, and the
// reserved classes.
func checkCode(t Type, c Code) error {
	switch {
	case c.Class() == 1 || c.Class() >= 6:
		return ErrCodeClass
	case c == Empty && t == NON, c != Empty && t == RST:
		return ErrTypeCode
	case t == ACK && c != Empty && c.IsRequest():
		return ErrTypeCode
	}
	return nil
}

// Len returns the octets that AppendTo writes.
func (m *Message) Len() int {
	n := headerLen + m.Token.Len()
	last := Number(0)
	for _, o := range m.Options {
		n += optionLen(o.Number-last, len(o.Value))
		last = o.Number
	}
	if len(m.Payload) > 0 {
		n += 1 + len(m.Payload)
	}
	return n
}

// AppendTo appends the message to b. The options must be in ascending order,
// which Options.Add keeps, and no value may exceed 65535+269 octets.
func (m *Message) AppendTo(b []byte) []byte {
	w := Begin(b, m.Type, m.Code, m.ID, m.Token)
	for _, o := range m.Options {
		w.Bytes(o.Number, o.Value)
	}
	return w.End(m.Payload)
}

// String renders the message on one line, for tests and traces.
func (m *Message) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v %v id=%d token=%v", m.Type, m.Code, m.ID, m.Token)
	for _, o := range m.Options {
		fmt.Fprintf(&s, " %v", o)
	}
	if len(m.Payload) > 0 {
		fmt.Fprintf(&s, " payload=%q", m.Payload)
	}
	return s.String()
}
