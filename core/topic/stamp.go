package topic

import "sync/atomic"

// A Stamp says which state of an Index a match was made from. The zero value is
// never current.
type Stamp struct {
	sum   uint64
	exact uint16 // which counter of the exact filters, plus 1
	level uint16 // which counter of the first levels
}

// generations count the changes that can alter the match of a name: those of
// exact filters by the whole name, those of wildcard filters by their first
// level, and those of filters that begin with a wildcard. Counters only grow,
// so their sum is the same only if each is.
type generations struct {
	exact  [256]atomic.Uint64
	levels [64]atomic.Uint64
	wild   atomic.Uint64
}

// stamp is taken before the filters are read; writers count after a change is
// published.
func (g *generations) stamp(nameHash, levelHash uint64) Stamp {
	s := Stamp{exact: uint16(nameHash>>32%256) + 1, level: uint16(levelHash % 64)}
	s.sum = g.sum(s)
	return s
}

func (g *generations) sum(s Stamp) uint64 {
	return g.exact[s.exact-1].Load() + g.levels[s.level].Load() + g.wild.Load()
}

func (g *generations) current(s Stamp) bool {
	return s.exact != 0 && g.sum(s) == s.sum
}
