package packet

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// MaxVarint is the largest value of a variable byte integer. MQTT 5.0, 1.5.5.
const MaxVarint = 268_435_455

// varint reads a variable byte integer: its value and the bytes it took; 0
// bytes when more are needed, -1 when it is too long or not the shortest form.
func varint(b []byte) (v uint32, n int) {
	for n < 4 {
		if n == len(b) {
			return 0, 0
		}
		c := b[n]
		v |= uint32(c&0x7f) << (7 * n)
		n++
		if c < 0x80 {
			if c == 0 && n > 1 {
				return 0, -1 // [MQTT-1.5.5-1]
			}
			return v, n
		}
	}
	return 0, -1
}

// AppendVarint appends v in as few bytes as it takes. v must not exceed
// MaxVarint. [MQTT-1.5.5-1]
func AppendVarint(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// VarintLen returns the bytes that AppendVarint appends.
func VarintLen(v uint32) int {
	switch {
	case v < 1<<7:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<21:
		return 3
	}
	return 4
}

// AppendString appends s with its length, as a UTF-8 string or as binary data.
// s must not exceed 65,535 bytes. MQTT 5.0, 1.5.4, 1.5.6.
func AppendString[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = append(dst, byte(len(s)>>8), byte(len(s)))
	return append(dst, s...)
}

func appendU16(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }
func appendU32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }

// A reader walks through a body. The first error sticks, and everything after
// it reads as zero, so callers look once, at the end of a group of fields.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) < 1 {
		r.fail(errPast)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) u16() uint16 {
	if len(r.b) < 2 {
		r.fail(errPast)
		return 0
	}
	v := binary.BigEndian.Uint16(r.b)
	r.b = r.b[2:]
	return v
}

func (r *reader) u32() uint32 {
	if len(r.b) < 4 {
		r.fail(errPast)
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *reader) varint() uint32 {
	v, n := varint(r.b)
	switch {
	case n == 0:
		r.fail(errPast)
		return 0
	case n < 0:
		r.fail(errVarint)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// take returns the next n bytes. It allocates nothing by n.
func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.fail(errPast)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) binary() []byte { return r.take(int(r.u16())) }

// id reads a packet identifier, which is never 0. [MQTT-2.2.1-3]
// [3: MQTT-2.3.1-1]
func (r *reader) id() uint16 {
	v := r.u16()
	if v == 0 && r.err == nil {
		r.fail(errID0)
	}
	return v
}

func (r *reader) string(strict bool) []byte {
	s := r.binary()
	if r.err == nil {
		if err := checkString(s, strict); err != nil {
			r.fail(err)
		}
	}
	return s
}

// checkString applies MQTT 5.0, 1.5.4.
func checkString(s []byte, strict bool) error {
	switch {
	case bytes.IndexByte(s, 0) >= 0:
		return errNUL // [MQTT-1.5.4-2] [3: MQTT-1.5.3-2]
	case !utf8.Valid(s):
		return errUTF8 // [MQTT-1.5.4-1]; U+FEFF stays where it is [MQTT-1.5.4-3] [3: MQTT-1.5.3-1] [3: MQTT-1.5.3-3]
	case strict && (HasControl(s) || hasNonCharacter(s)):
		return errStrict
	}
	return nil
}

// HasControl reports whether s, which is UTF-8, holds one of U+0000 to U+001F
// and U+007F to U+009F, which no text protocol can carry.
func HasControl[T ~string | ~[]byte](s T) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < 0x20, c == 0x7f:
			return true
		case c == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0:
			return true
		}
	}
	return false
}

func hasNonCharacter(s []byte) bool {
	for len(s) > 0 {
		c, n := utf8.DecodeRune(s)
		if c&0xfffe == 0xfffe || c >= 0xfdd0 && c <= 0xfdef {
			return true
		}
		s = s[n:]
	}
	return false
}

// checkName reports what is wrong with a topic name that a PUBLISH or a will
// carries: bad is set for wildcards and control characters, which are the
// caller's code, err for what no string may hold. [MQTT-4.7.0-1]
// [MQTT-3.3.2-1] [MQTT-3.3.2-2] [MQTT-4.7.3-2]
// [3: MQTT-3.3.2-1] [3: MQTT-3.3.2-2] [3: MQTT-4.7.1-1] [3: MQTT-4.7.3-2]
func checkName(s []byte, strict bool) (bad bool, err error) {
	ascii := true
	for _, c := range s {
		if c < 0x20 || c == '+' || c == '#' || c == 0x7f {
			bad = true
		} else if c >= 0x80 {
			ascii = false
		}
	}
	if ascii && !bad {
		return false, nil
	}
	if err := checkString(s, strict); err != nil {
		return false, err
	}
	return bad || HasControl(s), nil
}
