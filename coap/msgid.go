package coap

import (
	"time"

	"github.com/entrepot/entrepot/core"
)

// Lifetimes of a message id (RFC 7252, section 4.8.2).
const (
	exchangeLifetime = 247 * time.Second
	nonLifetime      = 145 * time.Second
)

// messageIDs hands out the message ids towards one peer: in order from a
// random start, none twice within EXCHANGE_LIFETIME (M9). It keeps a time for
// each sixteenth of the space, not for each id, so that a reuse comes at most
// one sixteenth late and never early.
type messageIDs struct {
	filled *[16]core.Time // when each sixteenth was used up last; nil in the first one
	next   uint16
}

const idsPerPart = 1 << 16 / 16

// take returns the next id; ok is false while none is free.
func (m *messageIDs) take(now core.Time) (id uint16, ok bool) {
	if !m.free(now) {
		return 0, false
	}
	id = m.next
	m.next++
	if m.next%idsPerPart == 0 {
		if m.filled == nil {
			m.filled = new([16]core.Time)
		}
		m.filled[id/idsPerPart] = now
	}
	return id, true
}

// free reports whether take has an id: what was used of the part in the lap
// before is old enough.
func (m *messageIDs) free(now core.Time) bool {
	if m.filled == nil {
		return true
	}
	at := m.filled[m.next/idsPerPart]
	return at == 0 || now >= at.After(exchangeLifetime)
}
