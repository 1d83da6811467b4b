package crash

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A ledger is what one publisher knows of what it sent to one place: numbers from 1 on.
type ledger struct {
	mu    sync.Mutex
	sent  int
	acked map[int]bool
}

// next is the number of the next message.
func (l *ledger) next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	return l.sent
}

func (l *ledger) ack(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[n] = true
}

// newest is the highest number that was acknowledged.
func (l *ledger) newest() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.acked {
		n = max(n, i)
	}
	return n
}

// ledgers are those of all publishers for one place, by the name of the publisher.
type ledgers map[string]*ledger

func (ls ledgers) of(name string) *ledger {
	if ls[name] == nil {
		ls[name] = &ledger{acked: map[int]bool{}}
	}
	return ls[name]
}

// payload says who sent which number; parse reads it.
func payload(name string, n int) []byte { return fmt.Appendf(nil, "%s %d", name, n) }

func parse(text []byte) (name string, n int, ok bool) {
	name, number, ok := strings.Cut(string(text), " ")
	n, err := strconv.Atoi(number)
	return name, n, ok && err == nil
}

// A pile is what one receiver got, in order, by publisher.
type pile struct {
	mu    sync.Mutex
	got   map[string][]int
	again map[string]map[int]bool // those that came with the mark of a redelivery
	ended chan struct{}           // closed by the last message
}

func newPile() *pile {
	return &pile{got: map[string][]int{}, again: map[string]map[int]bool{}, ended: make(chan struct{})}
}

// lastWord ends a pile: what is sent after everything else.
const lastWord = "the end"

func (p *pile) add(text []byte, redelivered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if string(text) == lastWord {
		select {
		case <-p.ended:
		default:
			close(p.ended)
		}
		return
	}
	name, n, ok := parse(text)
	if !ok {
		return
	}
	p.got[name] = append(p.got[name], n)
	if redelivered {
		if p.again[name] == nil {
			p.again[name] = map[int]bool{}
		}
		p.again[name][n] = true
	}
}

// check compares a pile with the ledgers: everything acknowledged is there, nothing that was never sent. once: each comes
// exactly once and in order; otherwise only what is marked as redelivered may come again or late.
func (p *pile) check(t *testing.T, what string, ls ledgers, once bool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	total, acked := 0, 0
	for name, l := range ls {
		l.mu.Lock()
		seen, last, missing := map[int]bool{}, 0, 0
		for _, n := range p.got[name] {
			again := p.again[name][n]
			switch {
			case n > l.sent:
				t.Errorf("%s: %s %d was never sent", what, name, n)
			case seen[n] && (once || !again):
				t.Errorf("%s: %s %d comes again", what, name, n)
			case n < last && !seen[n] && (once || !again):
				t.Errorf("%s: %s %d comes after %d", what, name, n, last)
			}
			seen[n], last = true, max(last, n)
		}
		first := 0
		for n := range l.acked {
			if !seen[n] {
				missing++
				if first == 0 || n < first {
					first = n
				}
			}
		}
		if missing > 0 {
			t.Errorf("%s: %d of %d acknowledged messages of %s are lost, first %d; %d were sent", what, missing, len(l.acked), name, first, l.sent)
		}
		l.mu.Unlock()
		total, acked = total+len(p.got[name]), acked+len(l.acked)
	}
	if acked == 0 {
		t.Errorf("%s: nothing was acknowledged", what)
	}
	t.Logf("%s: %d acknowledged, %d received", what, acked, total)
}
