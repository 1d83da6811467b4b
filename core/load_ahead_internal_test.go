package core

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
)

// lines is a store that only scans.
type lines struct {
	Store
	n     int
	err   error // behind them
	ended bool
}

func (s *lines) Scan(from, to []byte) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		defer func() { s.ended = true }()
		var buf []byte
		for i := range s.n {
			buf = fmt.Appendf(buf[:0], "%d value %d", i, i) // what the last step saw is overwritten
			if !yield(Record{Key: buf[:len(buf)/2], Value: buf[len(buf)/2:]}, nil) {
				return
			}
		}
		if s.err != nil {
			yield(Record{}, s.err)
		}
	}
}

// What is read ahead is what a scan yields, in its order, up to where its reader
// had enough; then nobody reads on.
func TestReadingAheadIsLikeAScan(t *testing.T) {
	for _, n := range []int{0, 1, firstPiece, firstPiece + 1, 5000} {
		for _, most := range []int{1, 2, 100, n + 1, n + 10} {
			for _, fault := range []error{nil, errors.New("broken")} {
				synctest.Test(t, func(t *testing.T) {
					s, seen := &lines{n: n, err: fault}, 0
					for rec, err := range (&loading{r: &Router{store: s}}).ahead(nil, nil) {
						if seen == n {
							if err == nil || err != fault {
								t.Fatalf("%v behind the last", err)
							}
						} else if want := fmt.Sprintf("%d value %d", seen, seen); err != nil || string(rec.Key)+string(rec.Value) != want {
							t.Fatalf("%q %q, %v, want %s", rec.Key, rec.Value, err, want)
						}
						if seen++; seen == most {
							break
						}
					}
					want := n
					if fault != nil {
						want++
					}
					if !s.ended || seen != min(most, want) {
						t.Fatalf("%d of %d seen, the scan ended: %v", seen, min(most, want), s.ended)
					}
				})
			}
		}
	}
}
