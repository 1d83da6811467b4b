package load

import "encoding/binary"

// MinPayload is the smallest payload:
//
//	|  0..7  intended time of sending, ns | 8..11 publisher | 12..19 sequence number from 0 | 20.. zeros |
const MinPayload = 20

// Types of packets, in the upper half of their first byte.
const (
	connack  = 2
	publish  = 3
	puback   = 4
	pubrec   = 5
	pubrel   = 6
	pubcomp  = 7
	suback   = 9
	unsuback = 11
	pingresp = 13
)

// appendLength appends a remaining length.
func appendLength(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// Connect is the CONNECT of a client, keep alive 0.
func Connect(id string, clean bool) []byte {
	flags := byte(0)
	if clean {
		flags = 2
	}
	b := appendLength([]byte{0x10}, 10+2+len(id))
	b = append(b, 0, 4, 'M', 'Q', 'T', 'T', 4, flags, 0, 0)
	return appendString(b, id)
}

// Subscribe is a SUBSCRIBE of all filters.
func Subscribe(id uint16, qos byte, filters ...string) []byte {
	n := 2
	for _, f := range filters {
		n += 3 + len(f)
	}
	b := appendLength([]byte{0x82}, n)
	b = binary.BigEndian.AppendUint16(b, id)
	for _, f := range filters {
		b = append(appendString(b, f), qos)
	}
	return b
}

// Publish is a PUBLISH with a payload of size bytes, and where its packet identifier and its payload stand; at is 0
// without an identifier.
func Publish(topic string, qos byte, retain bool, size int) (frame []byte, at, body int) {
	first, n := byte(publish<<4)|qos<<1, 2+len(topic)+size
	if retain {
		first |= 1
	}
	if qos > 0 {
		n += 2
	}
	frame = appendString(appendLength([]byte{first}, n), topic)
	if qos > 0 {
		at = len(frame)
		frame = append(frame, 0, 0)
	}
	body = len(frame)
	return append(frame, make([]byte, size)...), at, body
}

// head reads a fixed header: its length and the remaining length. The first is 0 while bytes are missing, -1 for nonsense.
func head(b []byte) (header, rest int) {
	for i, shift := 1, 0; i < len(b); i, shift = i+1, shift+7 {
		rest |= int(b[i]&0x7f) << shift
		if b[i] < 0x80 {
			return i + 1, rest
		}
		if i == 4 {
			return -1, 0
		}
	}
	return 0, 0
}
