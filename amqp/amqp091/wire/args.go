package wire

import (
	"encoding/binary"
	"io"
)

// args walks the arguments of a method once, in the order of the
// specification, and either reads them or appends them: each method names its
// arguments in one place and cannot read what it does not write.
type args struct {
	buf     []byte // what is still to read, or what was appended
	reading bool
	err     error
}

func reader(b []byte) args   { return args{buf: b, reading: true} }
func writer(dst []byte) args { return args{buf: dst} }

// next takes n octets; nil when they are not there.
func (a *args) next(n int) []byte {
	if a.err != nil || len(a.buf) < n {
		a.fail(io.ErrUnexpectedEOF)
		return nil
	}
	b := a.buf[:n:n]
	a.buf = a.buf[n:]
	return b
}

func (a *args) fail(err error) {
	if a.err == nil {
		a.err = err
	}
	a.buf = nil
}

// end is the verdict of a read: nothing may be left over.
func (a *args) end() error {
	if a.err == nil && len(a.buf) > 0 {
		return syntax("arguments are longer than the method")
	}
	return a.err
}

func (a *args) octet(v *uint8) {
	if !a.reading {
		a.buf = append(a.buf, *v)
	} else if b := a.next(1); b != nil {
		*v = b[0]
	}
}

func (a *args) short(v *uint16) {
	if !a.reading {
		a.buf = binary.BigEndian.AppendUint16(a.buf, *v)
	} else if b := a.next(2); b != nil {
		*v = binary.BigEndian.Uint16(b)
	}
}

func (a *args) long(v *uint32) {
	if !a.reading {
		a.buf = binary.BigEndian.AppendUint32(a.buf, *v)
	} else if b := a.next(4); b != nil {
		*v = binary.BigEndian.Uint32(b)
	}
}

func (a *args) longlong(v *uint64) {
	if !a.reading {
		a.buf = binary.BigEndian.AppendUint64(a.buf, *v)
	} else if b := a.next(8); b != nil {
		*v = binary.BigEndian.Uint64(b)
	}
}

// bits packs neighbouring bits into one octet, the first is the lowest.
func (a *args) bits(vs ...*bool) {
	var o uint8
	if a.reading {
		a.octet(&o)
		for i, v := range vs {
			*v = o&(1<<i) != 0
		}
		return
	}
	for i, v := range vs {
		if *v {
			o |= 1 << i
		}
	}
	a.octet(&o)
}

// shortView reads without a copy.
func (a *args) shortView(v *[]byte) {
	if a.reading {
		if n := a.next(1); n != nil {
			*v = a.next(int(n[0]))
		}
		return
	}
	b := *v
	if len(b) > 255 {
		b = []byte(cut(string(b)))
	}
	a.buf = append(append(a.buf, byte(len(b))), b...)
}

func (a *args) shortstr(v *string) {
	if a.reading {
		var b []byte
		a.shortView(&b)
		*v = string(b)
		return
	}
	s := cut(*v)
	a.buf = append(append(a.buf, byte(len(s))), s...)
}

func (a *args) longView(v *[]byte) {
	var n uint32
	if a.reading {
		a.long(&n)
		if uint64(n) > uint64(len(a.buf)) {
			a.fail(io.ErrUnexpectedEOF)
			return
		}
		*v = a.next(int(n))
		return
	}
	n = uint32(len(*v))
	a.long(&n)
	a.buf = append(a.buf, *v...)
}

// longstr copies: what it holds (passwords, capabilities) is kept.
func (a *args) longstr(v *string) {
	b := []byte(*v)
	a.longView(&b)
	if a.reading {
		*v = string(b)
	}
}

// table reads a view and judges it, so that a table that was taken in can be
// handed on as it is.
func (a *args) table(v *Table) {
	a.longView((*[]byte)(v))
	if a.reading && a.err == nil {
		if err := v.Check(); err != nil {
			a.fail(err)
		}
	}
}

// The reserved arguments: read, ignored, written as zero.
func (a *args) reservedShort()    { var v uint16; a.short(&v); _ = v }
func (a *args) reservedShortstr() { var v []byte; a.shortView(&v) }
func (a *args) reservedLongstr()  { var v []byte; a.longView(&v) }
func (a *args) reservedBit()      { var v bool; a.bits(&v) }
