package ordered

import (
	"encoding/binary"
	"math"
	"slices"
)

// head is the first eight bytes of s as a number that sorts as they do.
func head(s string) uint64 {
	if len(s) >= 8 {
		return binary.BigEndian.Uint64([]byte(s[:8]))
	}
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}

// heads are the beginnings of sorted keys, behind what all of them begin with:
// so many numbers of eight bytes for each that hardly two are alike.
type heads struct {
	of    []uint64
	width int // numbers for each key
}

// headsMost bounds the width.
const headsMost = 4

func (h *heads) len() int {
	if h.width == 0 {
		return 0
	}
	return len(h.of) / h.width
}

// lower is the index of the first key that may not be below rest, and the index
// up to which keys begin like it.
func (h *heads) lower(rest string) (lo, hi int) {
	hi = h.len()
	for k := 0; k < h.width; k++ {
		var want uint64
		if at := 8 * k; at < len(rest) {
			want = head(rest[at:])
		}
		if lo = h.first(k, lo, hi, want); lo == hi || h.of[lo*h.width+k] != want {
			return lo, lo
		}
		switch next := lo + 1; {
		case next == hi || h.of[next*h.width+k] != want:
			hi = next
		case want != math.MaxUint64: // above which nothing is
			hi = h.first(k, next, hi, want+1)
		}
	}
	return lo, hi
}

// first is the index from base to end of the first key whose number k is not
// below want. It halves without branches that could be mispredicted.
func (h *heads) first(k, base, end int, want uint64) int {
	n, of, width := end-base, h.of, h.width
	for n > 1 {
		half := n / 2
		if of[(base+half-1)*width+k] < want {
			base += half
		}
		n -= half
	}
	if n == 1 && of[base*width+k] < want {
		base++
	}
	return base
}

// insert adds the key of index i. If there is no room, it is made for so many
// keys. apart tells that its numbers are not those of one beside it.
func (h *heads) insert(i int, rest string, room int) (apart bool) {
	w, n := h.width, h.len()
	if len(h.of) == cap(h.of) {
		h.of = append(make([]uint64, 0, room*w), h.of...)
	}
	h.of = append(h.of, make([]uint64, w)...)
	copy(h.of[(i+1)*w:], h.of[i*w:n*w])
	h.put(i, rest)
	own := h.of[i*w : (i+1)*w]
	return (i == 0 || !slices.Equal(own, h.of[(i-1)*w:i*w])) && (i == n || !slices.Equal(own, h.of[(i+1)*w:(i+2)*w]))
}

// put gives index i the numbers of a key.
func (h *heads) put(i int, rest string) {
	for k := range h.width {
		at := min(8*k, len(rest))
		h.of[i*h.width+k] = head(rest[at:])
	}
}

// remove takes the keys from i to j away.
func (h *heads) remove(i, j int) { h.of = slices.Delete(h.of, i*h.width, j*h.width) }

// common is how many bytes a and b begin with alike.
func common(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}
