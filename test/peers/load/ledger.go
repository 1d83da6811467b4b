package load

import "slices"

// Ledger accounts for the sequence numbers 0, 1, 2... of one publisher at one subscriber. The zero value has seen nothing.
type Ledger struct {
	next    uint64 // one above the highest seen
	missing []span // below it, ascending
	Doubled uint64 // came again
	Late    uint64 // came after a higher one
}

// span is first up to but not including end.
type span struct{ first, end uint64 }

// Add accounts for one arrival.
func (l *Ledger) Add(n uint64) {
	switch {
	case n == l.next:
		l.next++
	case n > l.next:
		l.missing = append(l.missing, span{l.next, n})
		l.next = n + 1
	default:
		l.behind(n)
	}
}

// behind finds out whether an old number fills a gap or was there already.
func (l *Ledger) behind(n uint64) {
	i, _ := slices.BinarySearchFunc(l.missing, n, func(s span, n uint64) int {
		switch {
		case s.end <= n:
			return -1
		case s.first > n:
			return 1
		}
		return 0
	})
	if i == len(l.missing) || l.missing[i].first > n {
		l.Doubled++
		return
	}
	l.Late++
	s := l.missing[i]
	switch {
	case s.first == n && s.end == n+1:
		l.missing = slices.Delete(l.missing, i, i+1)
	case s.first == n:
		l.missing[i].first++
	case s.end == n+1:
		l.missing[i].end--
	default:
		l.missing[i].end = n
		l.missing = slices.Insert(l.missing, i+1, span{n + 1, s.end})
	}
}

// Seen is how many different numbers arrived.
func (l *Ledger) Seen() uint64 {
	n := l.next
	for _, s := range l.missing {
		n -= s.end - s.first
	}
	return n
}

// Lost is how many of the first sent numbers never arrived.
func (l *Ledger) Lost(sent uint64) uint64 { return sent - min(sent, l.Seen()) }

// Account sums ledgers.
type Account struct{ Sent, Expected, Received, Lost, Doubled, Late uint64 }

// Add joins another account.
func (a *Account) Add(b Account) {
	a.Sent += b.Sent
	a.Expected += b.Expected
	a.Received += b.Received
	a.Lost += b.Lost
	a.Doubled += b.Doubled
	a.Late += b.Late
}

// Clean tells whether everything arrived once and in order.
func (a Account) Clean() bool { return a.Lost == 0 && a.Doubled == 0 && a.Late == 0 }
