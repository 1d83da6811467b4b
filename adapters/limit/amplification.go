package limit

import "net/netip"

// Factor is how many times its size an unproven source may be answered [S9].
const Factor = 3

// Amplification is what one datagram source may be sent before it has proven
// that it is where it says. The zero value is unproven and has received
// nothing.
type Amplification struct {
	credit int32
	proven bool
}

// NewAmplification is the budget of a source; trusted addresses are proven.
func NewAmplification(from netip.Addr) Amplification {
	return Amplification{proven: Trusted(from)}
}

// maxCredit bounds what may be saved up: one large answer, not a burst.
const maxCredit = 64 << 10

// Received adds to the budget what a datagram of n bytes allows.
func (a *Amplification) Received(n int) {
	a.credit = int32(min(int(a.credit)+Factor*min(n, maxCredit), maxCredit))
}

// Allow takes n bytes from the budget; false, and nothing taken, when they
// may not be sent.
func (a *Amplification) Allow(n int) bool {
	if a.proven {
		return true
	}
	if n > int(a.credit) {
		return false
	}
	a.credit -= int32(n)
	return true
}

// Prove lifts the bound: the source has answered something that only it could
// know.
func (a *Amplification) Prove() { a.proven = true }

// Proven reports whether there is no bound.
func (a *Amplification) Proven() bool { return a.proven }
