package message

// Writer appends a message piece by piece into a slice of the caller, without
// a Message in between: Begin, options in ascending order, End.
type Writer struct {
	b    []byte
	last Number
}

// Begin starts a message behind b.
func Begin(b []byte, t Type, c Code, id uint16, tok Token) Writer {
	b = append(b, version<<6|byte(t&3)<<4|tok.n, byte(c), byte(id>>8), byte(id))
	return Writer{b: append(b, tok.octets[:tok.n]...)}
}

// Bytes appends an option. A number below the one before is a mistake of the
// caller that would make another option of it, so it panics.
func (w *Writer) Bytes(n Number, value []byte) {
	w.head(n, len(value))
	w.b = append(w.b, value...)
}

// Text appends an option whose value is a string.
func (w *Writer) Text(n Number, value string) {
	w.head(n, len(value))
	w.b = append(w.b, value...)
}

// Uint appends an option of format uint in the shortest form.
func (w *Writer) Uint(n Number, v uint32) {
	w.head(n, uintLen(v))
	w.b = AppendUint(w.b, v)
}

// Block appends a Block1 or Block2 option.
func (w *Writer) Block(n Number, v Block) { w.Uint(n, v.Value()) }

func (w *Writer) head(n Number, length int) {
	if n < w.last {
		panic("coap/message: options out of order")
	}
	w.b = appendOptionHead(w.b, n-w.last, length)
	w.last = n
}

// Len returns the octets of the slice so far, what was before Begin included.
func (w *Writer) Len() int { return len(w.b) }

// End appends the payload, with its marker unless it is empty, and returns the
// slice.
func (w *Writer) End(payload []byte) []byte {
	if len(payload) == 0 {
		return w.b // RFC 7252, section 3: no marker without payload
	}
	w.b = append(w.b, payloadMarker)
	return append(w.b, payload...)
}

// AppendEmpty appends an Empty message: an acknowledgement, a Reset or a ping.
func AppendEmpty(b []byte, t Type, id uint16) []byte {
	return append(b, version<<6|byte(t&3)<<4, byte(Empty), byte(id>>8), byte(id))
}
