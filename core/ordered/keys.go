package ordered

import (
	"encoding/binary"
	"slices"
	"sort"
	"strings"
)

// keys are the sorted keys of a page.
type keys struct {
	names []string
	heads []uint64 // the eight bytes of each name from skip on, as head gives them
	skip  int      // all names have this many bytes in common
	loose int      // names added since the last pack
}

const (
	looseMax = 32      // more loose names than this are packed
	packMax  = 1 << 14 // bytes; more text than this is left where it is
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

// lower is the index of the first name not below key.
func (k *keys) lower(key string) int {
	n := len(k.names)
	if n == 0 {
		return 0
	}
	if p := k.names[0][:k.skip]; !strings.HasPrefix(key, p) {
		if key < p {
			return 0
		}
		return n
	}
	h := head(key[k.skip:])
	lo := lowerHead(k.heads, h)
	if lo == n || k.heads[lo] != h {
		return lo
	}
	hi := lo + 1
	for hi < n && k.heads[hi] == h {
		hi++
	}
	return lo + sort.Search(hi-lo, func(i int) bool { return k.names[lo+i] >= key })
}

// lowerHead is the index of the first head not below h. It halves without
// branches that could be mispredicted.
func lowerHead(heads []uint64, h uint64) int {
	base, n := 0, len(heads)
	for n > 1 {
		half := n / 2
		if heads[base+half-1] < h {
			base += half
		}
		n -= half
	}
	if n == 1 && heads[base] < h {
		base++
	}
	return base
}

// upper is the index of the first name above key.
func (k *keys) upper(key string) int {
	i := k.lower(key)
	if i < len(k.names) && k.names[i] == key {
		i++
	}
	return i
}

// find is the index of key, if it is there.
func (k *keys) find(key string) (int, bool) {
	i := k.lower(key)
	return i, i < len(k.names) && k.names[i] == key
}

func (k *keys) insert(i int, key string) {
	k.names = slices.Insert(k.names, i, key)
	other := k.names[0]
	if i == 0 {
		other = k.names[len(k.names)-1]
	}
	if len(k.names) > 1 && strings.HasPrefix(key, other[:k.skip]) {
		k.heads = slices.Insert(k.heads, i, head(key[k.skip:]))
	} else {
		k.reset()
	}
	k.loose++
	if k.loose > looseMax {
		k.pack()
	}
}

func (k *keys) remove(i, j int) {
	k.names = slices.Delete(k.names, i, j)
	k.heads = slices.Delete(k.heads, i, j)
}

// reset computes skip and heads anew.
func (k *keys) reset() {
	k.heads = slices.Grow(k.heads[:0], len(k.names))
	if len(k.names) == 0 {
		k.skip = 0
		return
	}
	k.skip = common(k.names[0], k.names[len(k.names)-1])
	for _, n := range k.names {
		k.heads = append(k.heads, head(n[k.skip:]))
	}
}

// common is how many bytes a and b begin with alike.
func common(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

// pack copies the text of all names into one piece.
func (k *keys) pack() {
	k.loose = 0
	size := 0
	for _, n := range k.names {
		size += len(n)
	}
	if size > packMax {
		return
	}
	text := strings.Join(k.names, "")
	for i, n := range k.names {
		k.names[i], text = text[:len(n)], text[len(n):]
	}
}

// split keeps the names before cut and returns the others.
func (k *keys) split(cut int) keys {
	r := keys{names: slices.Clone(k.names[cut:])}
	k.names = slices.Clone(k.names[:cut])
	r.settle()
	k.settle()
	return r
}

// join appends names that are all above.
func (k *keys) join(names ...string) {
	k.names = append(k.names, names...)
	k.settle()
}

func (k *keys) settle() {
	k.pack()
	k.reset()
}
