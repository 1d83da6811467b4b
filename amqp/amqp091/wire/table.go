package wire

import (
	"encoding/binary"
	"iter"
)

// Limits of a field table (AQ3).
const (
	MaxDepth   = 32
	MaxEntries = 8192
)

// Table is a field table as its octets, without the length in front: it is
// read when somebody asks, and relayed as it came.
//
//	name:shortstr type:octet value ...
type Table []byte

// Check walks the whole table: *Error 502 for an unknown type, a value that
// ends early, more than MaxDepth levels or MaxEntries entries.
func (t Table) Check() error {
	w := walk{left: MaxEntries}
	return w.table(t, 1)
}

type walk struct{ left int }

func (w *walk) table(b []byte, depth int) error {
	for len(b) > 0 {
		n := 1 + int(b[0])
		if len(b) < n {
			return syntax("field name ends early")
		}
		rest, err := w.value(b[n:], depth)
		if err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func (w *walk) array(b []byte, depth int) error {
	for len(b) > 0 {
		rest, err := w.value(b, depth)
		if err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// value judges one type and value and returns what follows.
func (w *walk) value(b []byte, depth int) ([]byte, error) {
	if w.left--; w.left < 0 {
		return nil, syntax("field table has more than 8192 entries")
	}
	if depth > MaxDepth {
		return nil, syntax("field table is nested deeper than 32")
	}
	if len(b) == 0 {
		return nil, syntax("field value ends early")
	}
	v, rest, err := cutValue(b)
	if err != nil {
		return nil, err
	}
	switch v.Type {
	case 'F':
		err = w.table(v.Raw, depth+1)
	case 'A':
		err = w.array(v.Raw, depth+1)
	}
	return rest, err
}

// fixed is the length of the types that have one, -1 for those with a long
// length in front, -2 for unknown codes.
func fixed(typ byte) int {
	switch typ {
	case 't', 'b', 'B':
		return 1
	case 's', 'u':
		return 2
	case 'I', 'i', 'f':
		return 4
	case 'D':
		return 5
	case 'l', 'L', 'd', 'T':
		return 8
	case 'V':
		return 0
	case 'S', 'x', 'A', 'F':
		return -1
	}
	return -2
}

// cutValue takes type and value off the front of b, which is not empty.
func cutValue(b []byte) (v Value, rest []byte, err error) {
	v.Type, b = b[0], b[1:]
	n := fixed(v.Type)
	switch {
	case n == -2:
		return v, nil, syntax("unknown field type " + string(rune(v.Type)))
	case n == -1:
		if len(b) < 4 {
			return v, nil, syntax("field value ends early")
		}
		long := binary.BigEndian.Uint32(b)
		b = b[4:]
		if uint64(long) > uint64(len(b)) {
			return v, nil, syntax("field value ends early")
		}
		n = int(long)
	case len(b) < n:
		return v, nil, syntax("field value ends early")
	}
	v.Raw = b[:n:n]
	return v, b[n:], nil
}

// All yields the entries in order, duplicates included, up to the first fault.
// Names are views.
func (t Table) All() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		for b := []byte(t); len(b) > 0; {
			n := 1 + int(b[0])
			if len(b) <= n {
				return
			}
			name := b[1:n:n]
			v, rest, err := cutValue(b[n:])
			if err != nil || !yield(name, v) {
				return
			}
			b = rest
		}
	}
}

// Get finds the first entry with that name (AQ7: a duplicate keeps the first).
func (t Table) Get(name string) (Value, bool) {
	for n, v := range t.All() {
		if string(n) == name {
			return v, true
		}
	}
	return Value{}, false
}

// ParseTable reads a table with its length in front from b: a view, and what
// follows it.
func ParseTable(b []byte) (t Table, rest []byte, err error) {
	a := reader(b)
	a.table(&t)
	if a.err != nil {
		return nil, nil, a.err
	}
	return t, a.buf, nil
}

// AppendTable appends t with its length in front.
func AppendTable(dst []byte, t Table) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(t)))
	return append(dst, t...)
}
