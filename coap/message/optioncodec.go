package message

import "encoding/binary"

// An option on the wire (RFC 7252, section 3.1): the number is the sum of the
// deltas so far. A nibble of 13 adds one octet (value-13), 14 adds two
// (value-269), 15 is reserved for the payload marker.
//
//	  0   1   2   3   4   5   6   7
//	+---------------+---------------+
//	| Option Delta  | Option Length |   1 octet
//	+---------------+---------------+
//	/  Option Delta (extended)      /   0 to 2 octets
//	+-------------------------------+
//	/  Option Length (extended)     /   0 to 2 octets
//	+-------------------------------+
//	/  Option Value                 /   0 or more octets
//	+-------------------------------+
const (
	nibble8  = 13
	nibble16 = 14
	bias8    = 13
	bias16   = 269
)

// parseOptions reads the options and the payload behind them.
func (m *Message) parseOptions(b []byte) error {
	number := 0
	for len(b) > 0 {
		head := b[0]
		b = b[1:]
		if head == payloadMarker {
			if len(b) == 0 {
				return ErrPayloadMarker
			}
			m.Payload = b
			return nil
		}
		delta, b1, err := extended(head>>4, b)
		if err != nil {
			return err
		}
		length, b2, err := extended(head&0x0f, b1)
		if err != nil {
			return err
		}
		if number += delta; number > 0xffff {
			return ErrOptionNumber
		}
		if len(b2) < length {
			return ErrTruncated
		}
		m.keep(Option{Number(number), b2[:length:length]})
		b = b2[length:]
	}
	return nil
}

func (m *Message) keep(o Option) {
	if len(m.Options) == MaxOptions {
		m.Excess = true
		return
	}
	m.Options = append(m.Options, o)
}

// extended resolves a nibble with the octets that follow it.
func extended(nibble byte, b []byte) (v int, rest []byte, err error) {
	switch {
	case nibble < nibble8:
		return int(nibble), b, nil
	case nibble == nibble8:
		if len(b) < 1 {
			return 0, nil, ErrTruncated
		}
		return int(b[0]) + bias8, b[1:], nil
	case nibble == nibble16:
		if len(b) < 2 {
			return 0, nil, ErrTruncated
		}
		return int(binary.BigEndian.Uint16(b)) + bias16, b[2:], nil
	}
	return 0, nil, ErrOptionNibble
}

// appendOptionHead appends the delta and the length of an option.
func appendOptionHead(b []byte, delta Number, length int) []byte {
	at := len(b)
	b = append(b, 0)
	hi, b := appendExtended(b, int(delta))
	lo, b := appendExtended(b, length)
	b[at] = hi<<4 | lo
	return b
}

func appendExtended(b []byte, v int) (nibble byte, _ []byte) {
	switch {
	case v < bias8:
		return byte(v), b
	case v < bias16:
		return nibble8, append(b, byte(v-bias8))
	}
	return nibble16, binary.BigEndian.AppendUint16(b, uint16(v-bias16))
}

func optionLen(delta Number, length int) int {
	return 1 + extendedLen(int(delta)) + extendedLen(length) + length
}

func extendedLen(v int) int {
	switch {
	case v < bias8:
		return 0
	case v < bias16:
		return 1
	}
	return 2
}
