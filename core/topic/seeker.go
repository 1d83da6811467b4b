package topic

import "strings"

// A seeker compares names in byte order with a filter and says, where one does
// not match, which is the next that could.
//
// The order is that of the bytes, not of the levels: between "a" and "a/b" come
// "a!" and all below it. What keeps together is the names with a common
// beginning that ends with '/'.
type seeker struct {
	filter string
	prefix string // no name below it matches
	target []byte // where lookSeek wants to go
	inside string // all names that begin so match; empty if not known
	past   []byte // the first name above these, if it is
}

type look int

const (
	lookMatch look = iota
	lookOne        // a match, and the next is not below target
	lookStep       // no match, the next name may be one
	lookSeek       // no match below target
	lookDone       // no match from here on
)

func newSeeker(filter string) seeker {
	q := seeker{filter: filter, prefix: filter}
	for pos := first(filter); pos <= len(filter); {
		end := levelEnd(filter, pos)
		if level := filter[pos:end]; level == "+" || level == "#" {
			q.prefix = filter[:max(pos-1, 0)]
			break
		}
		pos = end + 1
	}
	return q
}

// look judges a name.
func (q *seeker) look(name string) look {
	if q.inside != "" && strings.HasPrefix(name, q.inside) {
		return lookMatch
	}
	if hidden(name) && leadingWildcard(q.filter) {
		return q.seek("", "%") // the byte after '$'
	}
	f, n := first(q.filter), first(name)
	free := -1 // the end of the last level of name that a '+' took
	for f <= len(q.filter) {
		fEnd := levelEnd(q.filter, f)
		level := q.filter[f:fEnd]
		switch {
		case level == "#":
			return q.rest(name, n, fEnd)
		case n > len(name):
			return lookStep // "a" for "a/+", but "a!" may come before "a/"
		}
		nEnd := levelEnd(name, n)
		switch {
		case level == "+":
			free = nEnd
		case level != name[n:nEnd]:
			return q.miss(name, n, f, fEnd, free)
		}
		f, n = fEnd+1, nEnd+1
	}
	if n <= len(name) {
		return q.seek(name[:n-1], "0") // past all that begins with these levels and '/'
	}
	if free >= 0 && free < len(name) { // what '+' took and all behind it is as it must be: no other name is
		q.seek(name[:free], "0")
		return lookOne
	}
	return lookMatch
}

// rest judges a name whose levels from n on are for a '#'; nothing is skipped
// there.
func (q *seeker) rest(name string, n, hashEnd int) look {
	if hashEnd == len(q.filter) {
		if n <= len(name) {
			q.inside = name[:n]
			if n > 0 {
				q.past = append(append(q.past[:0], name[:n-1]...), '0') // the byte after '/'
			}
		}
		return lookMatch
	}
	if matches(q.filter, name) {
		return lookMatch
	}
	return lookStep
}

// miss skips where the level of name at n is not the literal filter[f:fEnd].
func (q *seeker) miss(name string, n, f, fEnd, free int) look {
	want := q.filter[f:fEnd]
	if name[n:] < want {
		return q.seek(name[:n], want)
	}
	if fEnd < len(q.filter) {
		if deeper := q.filter[f : fEnd+1]; name[n:] < deeper {
			return q.seek(name[:n], deeper)
		}
	}
	if free < 0 {
		return lookDone
	}
	return q.seek(name[:free], "0") // the byte after '/'
}

func (q *seeker) seek(head, tail string) look {
	q.target = append(append(q.target[:0], head...), tail...)
	return lookSeek
}
