// Package packet is the wire format of MQTT-SN 1.2: "MQTT For Sensor Networks
// (MQTT-SN) Protocol Specification", version 1.2, 14 November 2013, section 5.
//
// Parsing borrows: byte slices in a parsed packet point into the datagram.
// Appending extends the caller's slice. Neither allocates. What needs a state
// to judge (a wildcard in a topic, an unknown id) is left to the caller.
package packet

import "encoding/binary"

// MaxLen is the largest packet, header included, in octets (section 5.2.1).
const MaxLen = 65535

// A Packet is one MQTT-SN message. Len is the size on the wire in octets; the
// caller of AppendTo sees to it that it does not exceed MaxLen.
type Packet interface {
	Type() Type
	Len() int
	AppendTo(b []byte) []byte
}

// Cut takes the first packet off b: its type, its body, and what follows.
// It reports ErrLength when the length field is impossible or exceeds b.
//
//	 0        1        2              1-octet length, total 2..255
//	+--------+--------+----------
//	| Length |  Type  | body ...
//	+--------+--------+----------
//	 0        1        2        3        4     3-octet length, total 4..65535
//	+--------+--------+--------+--------+------
//	|  0x01  | Length (hi, lo) |  Type  | body ...
//	+--------+--------+--------+--------+------
func Cut(b []byte) (t Type, body, rest []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, ErrLength
	}
	if n := int(b[0]); n != 1 {
		if n < 2 || n > len(b) {
			return 0, nil, nil, ErrLength
		}
		return Type(b[1]), b[2:n:n], b[n:], nil
	}
	if len(b) < 4 {
		return 0, nil, nil, ErrLength
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	if n < 4 || n > len(b) {
		return 0, nil, nil, ErrLength
	}
	return Type(b[3]), b[4:n:n], b[n:], nil
}

// Open reads a datagram that holds exactly one packet. For FRWDENCAP, whose
// length excludes the packet inside, use Cut and ParseForward.
func Open(datagram []byte) (t Type, body []byte, err error) {
	t, body, rest, err := Cut(datagram)
	if err == nil && len(rest) != 0 {
		err = ErrLength
	}
	return t, body, err
}

// size is the length on the wire of a packet with n octets of body.
func size(n int) int {
	if n+2 <= 255 {
		return n + 2
	}
	return n + 4
}

// appendHeader appends length and type for a body of n octets, in the 1-octet
// form whenever it fits.
func appendHeader(b []byte, t Type, n int) []byte {
	if n+2 <= 255 {
		return append(b, byte(n+2), byte(t))
	}
	b = append(b, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(n+4))
	return append(b, byte(t))
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

func append16(b []byte, v ...uint16) []byte {
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}
