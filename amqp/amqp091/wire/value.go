package wire

import (
	"encoding/binary"
	"iter"
	"math"
)

// Value is one field value: its type octet and its octets, without the length
// of the types that have one (a view).
//
//	t bool   b int8    B uint8   s int16  u uint16  I int32  i uint32
//	l L int64  f float32  d float64  D decimal  S longstr  x octets
//	A array  T timestamp  F table  V void
type Value struct {
	Type byte
	Raw  []byte
}

// Int reads any of the integer types.
func (v Value) Int() (int64, bool) {
	switch v.Type {
	case 'b':
		return int64(int8(v.Raw[0])), true
	case 'B':
		return int64(v.Raw[0]), true
	case 's':
		return int64(int16(binary.BigEndian.Uint16(v.Raw))), true
	case 'u':
		return int64(binary.BigEndian.Uint16(v.Raw)), true
	case 'I':
		return int64(int32(binary.BigEndian.Uint32(v.Raw))), true
	case 'i':
		return int64(binary.BigEndian.Uint32(v.Raw)), true
	case 'l', 'L':
		return int64(binary.BigEndian.Uint64(v.Raw)), true
	}
	return 0, false
}

// Float reads the two floating point types.
func (v Value) Float() (float64, bool) {
	switch v.Type {
	case 'f':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(v.Raw))), true
	case 'd':
		return math.Float64frombits(binary.BigEndian.Uint64(v.Raw)), true
	}
	return 0, false
}

// Bool reads t: anything but 0 is true.
func (v Value) Bool() (b, ok bool) {
	if v.Type != 't' {
		return false, false
	}
	return v.Raw[0] != 0, true
}

// Text reads S.
func (v Value) Text() (string, bool) { return string(v.Raw), v.Type == 'S' }

// Timestamp reads T, in seconds since 1970.
func (v Value) Timestamp() (uint64, bool) {
	if v.Type != 'T' {
		return 0, false
	}
	return binary.BigEndian.Uint64(v.Raw), true
}

// Decimal reads D: unscaled / 10^scale.
func (v Value) Decimal() (unscaled int32, scale uint8, ok bool) {
	if v.Type != 'D' {
		return 0, 0, false
	}
	return int32(binary.BigEndian.Uint32(v.Raw[1:])), v.Raw[0], true
}

// Table reads F, a view.
func (v Value) Table() (Table, bool) { return Table(v.Raw), v.Type == 'F' }

// Array yields the elements of A, up to the first fault.
func (v Value) Array() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Type != 'A' {
			return
		}
		for b := v.Raw; len(b) > 0; {
			e, rest, err := cutValue(b)
			if err != nil || !yield(e) {
				return
			}
			b = rest
		}
	}
}

// Append appends type and value.
func (v Value) Append(dst []byte) []byte {
	dst = append(dst, v.Type)
	if fixed(v.Type) == -1 {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v.Raw)))
	}
	return append(dst, v.Raw...)
}

// Append appends one entry to the table. A name over 255 octets is cut.
func (t Table) Append(name string, v Value) Table {
	name = cut(name)
	t = append(append(t, byte(len(name))), name...)
	return v.Append(t)
}

// Makers of values, one for each type that is written: L is read only.

// Bool makes t.
func Bool(b bool) Value {
	if b {
		return Value{'t', []byte{1}}
	}
	return Value{'t', []byte{0}}
}

// Int makes l, or I where the number fits: what clients of every age read.
func Int(n int64) Value {
	if n == int64(int32(n)) {
		return Value{'I', binary.BigEndian.AppendUint32(nil, uint32(n))}
	}
	return Long(n)
}

// Long makes l.
func Long(n int64) Value { return Value{'l', binary.BigEndian.AppendUint64(nil, uint64(n))} }

// Double makes d.
func Double(f float64) Value {
	return Value{'d', binary.BigEndian.AppendUint64(nil, math.Float64bits(f))}
}

// Longstr makes S.
func Longstr(s string) Value { return Value{'S', []byte(s)} }

// Octets makes x.
func Octets(b []byte) Value { return Value{'x', b} }

// Timestamp makes T from seconds since 1970.
func Timestamp(s uint64) Value { return Value{'T', binary.BigEndian.AppendUint64(nil, s)} }

// Nested makes F.
func Nested(t Table) Value { return Value{'F', t} }

// Array makes A.
func Array(vs ...Value) Value {
	var b []byte
	for _, v := range vs {
		b = v.Append(b)
	}
	return Value{'A', b}
}

// Void makes V.
func Void() Value { return Value{Type: 'V'} }
