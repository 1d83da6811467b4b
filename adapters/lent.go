package adapters

// What a room lends to an output is not copied: it leaves from where it is.
const (
	lentLeast  = 2 << 10 // bytes; what is shorter is cheaper to copy
	lentPieces = 128     // of one output
)

// lentPiece stands before B[at].
type lentPiece struct {
	at   int
	data []byte
}

// Borrows lets Lend keep references from now on, or ends that. The loop then
// writes the output, or calls Own, before the memory is used for anything else.
func (o *Output) Borrows(on bool) { o.borrows = on }

// Lend appends bytes of the input that is being processed, or such as do not
// change any more.
func (o *Output) Lend(b []byte) {
	if !o.borrows || len(b) < lentLeast || len(o.lent) >= lentPieces {
		o.B = append(o.B, b...)
		return
	}
	o.lent = append(o.lent, lentPiece{len(o.B), b})
	o.size += len(b)
}

// Lent tells that the output refers to what was lent.
func (o *Output) Lent() bool { return len(o.lent) > 0 }

// Len is how many bytes the output holds, what was lent included.
func (o *Output) Len() int { return len(o.B) + o.size }

// Own copies what was lent.
func (o *Output) Own() {
	if len(o.lent) == 0 {
		return
	}
	b := make([]byte, 0, o.Len())
	for _, p := range o.Pieces(nil) {
		b = append(b, p...)
	}
	o.B = b
	o.forget(0)
}

// Pieces appends the bytes in their order, in pieces.
func (o *Output) Pieces(dst [][]byte) [][]byte {
	at := 0
	for _, p := range o.lent {
		if p.at > at {
			dst = append(dst, o.B[at:p.at])
			at = p.at
		}
		dst = append(dst, p.data)
	}
	if at < len(o.B) {
		dst = append(dst, o.B[at:])
	}
	return dst
}

// Mark is a place in an output.
type Mark struct{ bytes, lent, timed int }

// Mark is the output's end.
func (o *Output) Mark() Mark { return Mark{len(o.B), len(o.lent), len(o.timed)} }

// Cut takes off what was appended since.
func (o *Output) Cut(m Mark) {
	o.B, o.timed = o.B[:m.bytes], o.timed[:m.timed]
	o.forget(m.lent)
}

// forget lets go of what was lent, but for the first n pieces.
func (o *Output) forget(n int) {
	for i := n; i < len(o.lent); i++ {
		o.size -= len(o.lent[i].data)
		o.lent[i] = lentPiece{}
	}
	o.lent = o.lent[:n]
}

// join appends another output, and empties it.
func (o *Output) join(e *Output) {
	if o.Len() == 0 {
		o.B, e.B, o.lent, e.lent = e.B, o.B, e.lent, o.lent
		o.size, e.size = e.size, 0
		return
	}
	for _, p := range e.lent {
		o.lent = append(o.lent, lentPiece{len(o.B) + p.at, p.data})
	}
	o.size += e.size
	o.B = append(o.B, e.B...)
	e.B = e.B[:0]
	e.forget(0)
}
