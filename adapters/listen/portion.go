package listen

// What is read from a connection in one pass delays all others of its loop. Its
// bytes do not tell for how long: small messages take a hundred times as long as
// large ones. So no more is read than held portionMessages before.
const (
	portionMessages = 512
	leastPortion    = 16 << 10
)

// portion is how much a loop reads of a connection at once. Owned by the loop.
type portion struct {
	bytes  int
	routed int // messages of what was read last
}

// fed learns from what was read; full tells that there was more than that.
func (p *portion) fed(n int, full bool) {
	switch {
	case p.routed > portionMessages:
		p.bytes = max(leastPortion, n*portionMessages/p.routed)
	case full && p.routed <= portionMessages/2:
		p.bytes = min(2*p.bytes, inputSize)
	}
}
