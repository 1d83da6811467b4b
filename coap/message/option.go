package message

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// MaxOptions is how many options of one message Parse keeps.
const MaxOptions = 255

// Option is one instance of an option.
type Option struct {
	Number Number
	Value  []byte
}

func (o Option) String() string {
	if d, _ := o.Number.definition(); d.text && utf8.Valid(o.Value) {
		return fmt.Sprintf("%v:%q", o.Number, o.Value)
	}
	return fmt.Sprintf("%v:%x", o.Number, o.Value)
}

// Options are the options of a message, ascending by number; those of one
// number in the order of the message.
type Options []Option

// Add inserts an option behind those with the same or a lower number. The
// value is not copied.
func (o *Options) Add(n Number, value []byte) {
	s := append(*o, Option{n, value})
	for i := len(s) - 1; i > 0 && s[i-1].Number > n; i-- {
		s[i], s[i-1] = s[i-1], s[i]
	}
	*o = s
}

// AddUint inserts an option with v in the shortest form.
func (o *Options) AddUint(n Number, v uint32) { o.Add(n, AppendUint(nil, v)) }

// First returns the value of the first option n.
func (o Options) First(n Number) (value []byte, ok bool) {
	for _, x := range o {
		if x.Number >= n {
			return x.Value, x.Number == n
		}
	}
	return nil, false
}

// Uint returns the first option n as a number.
func (o Options) Uint(n Number) (v uint32, ok bool) {
	b, ok := o.First(n)
	if !ok || len(b) > 4 {
		return 0, false
	}
	return Uint(b), true
}

// All returns the options with number n, as a part of o.
func (o Options) All(n Number) Options {
	i := 0
	for i < len(o) && o[i].Number < n {
		i++
	}
	j := i
	for j < len(o) && o[j].Number == n {
		j++
	}
	return o[i:j]
}

// Uint reads an option value of format uint: at most 4 octets in network byte
// order, leading zeros allowed, none at all is 0 (RFC 7252, section 3.2).
// More than 4 octets must be excluded beforehand; only the last 4 count.
func Uint(b []byte) (v uint32) {
	for _, x := range b {
		v = v<<8 | uint32(x)
	}
	return v
}

// AppendUint appends v in as few octets as possible, none for 0.
func AppendUint(b []byte, v uint32) []byte {
	var x [4]byte
	binary.BigEndian.PutUint32(x[:], v)
	return append(b, x[4-uintLen(v):]...)
}

func uintLen(v uint32) int {
	switch {
	case v == 0:
		return 0
	case v < 1<<8:
		return 1
	case v < 1<<16:
		return 2
	case v < 1<<24:
		return 3
	}
	return 4
}
