package core

import "iter"

// Records are read ahead in pieces of firstPiece records at first, twice as many
// each time: who stops soon has not had much read in vain.
const (
	firstPiece = 8
	mostPiece  = 512
	pieceBytes = 256 << 10 // a piece ends beyond that too
)

// piece is copies of some records that follow each other.
type piece struct {
	buf  []byte
	ends []recordEnds
	err  error // behind them
}

// recordEnds are where the key and the value of a record end in a buffer.
type recordEnds struct{ key, value int }

// add copies a record into the piece, and says whether there is room for another.
func (p *piece) add(rec Record, most int) bool {
	p.buf = append(p.buf, rec.Key...)
	key := len(p.buf)
	p.buf = append(p.buf, rec.Value...)
	p.ends = append(p.ends, recordEnds{key, len(p.buf)})
	return len(p.ends) < most && len(p.buf) < pieceBytes
}

// all walks what is in it; false when yield had enough.
func (p *piece) all(yield func(Record, error) bool) bool {
	at := 0
	for _, e := range p.ends {
		if !yield(Record{Key: p.buf[at:e.key:e.key], Value: p.buf[e.key:e.value:e.value]}, nil) {
			return false
		}
		at = e.value
	}
	return p.err == nil || yield(Record{}, p.err)
}

// ahead is a scan of the store that a goroutine of its own reads, while what came before is
// worked on. It has ended when the walk has.
func (l *loading) ahead(from, to []byte) iter.Seq2[Record, error] {
	scan := l.r.store.Scan(from, to)
	return func(yield func(Record, error) bool) {
		full, empty, enough := make(chan *piece, 1), make(chan *piece, 3), make(chan struct{})
		for range cap(empty) { // one is filled, one waits, one is worked on
			empty <- new(piece)
		}
		go func() {
			defer close(full)
			readAhead(scan, full, empty, enough)
		}()
		defer func() {
			close(enough)
			for p := range full { // until its goroutine has ended
				empty <- p
			}
		}()
		for p := range full {
			if !p.all(yield) {
				return
			}
			empty <- p
		}
	}
}

// readAhead fills pieces until the scan has ended or somebody had enough.
func readAhead(scan iter.Seq2[Record, error], full chan<- *piece, empty <-chan *piece, enough <-chan struct{}) {
	p, most := <-empty, firstPiece
	hand := func() bool {
		select {
		case full <- p:
			p = <-empty
			p.buf, p.ends, p.err, most = p.buf[:0], p.ends[:0], nil, min(2*most, mostPiece)
			return true
		case <-enough:
			return false
		}
	}
	for rec, err := range scan {
		if p.err = err; err != nil {
			break
		}
		if !p.add(rec, most) && !hand() {
			return
		}
	}
	if len(p.ends) > 0 || p.err != nil {
		hand()
	}
}
