package interop

import (
	varint "encoding/binary"
	"fmt"
	"maps"
	"sync"
	"testing"
)

// A ledger counts, on the wire, how often each text of QoS 2 was handed over: a PUBLISH counts unless its identifier is
// that of an exchange which has not seen PUBREL [MQTT-4.3.3-10]. What a library makes of it does not matter here.
type ledger struct {
	t       *testing.T
	version int
	strict  bool // a repetition must have DUP [MQTT-3.3.1-1]

	mu    sync.Mutex
	held  map[uint16]string
	times map[string]int
}

func (s *stage) newLedger(t *testing.T) *ledger {
	return &ledger{t: t, version: s.version, held: map[uint16]string{}, times: map[string]int{}}
}

// see books a packet on its way to the receiving end.
func (l *ledger) see(packet []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, n := varint.Uvarint(packet[1:])
	body := packet[1+n:]
	switch packet[0] >> 4 {
	case typePublish:
		if packet[0]>>1&3 != 2 {
			return
		}
		body = body[2+varint.BigEndian.Uint16(body):]
		id := varint.BigEndian.Uint16(body)
		body = body[2:]
		if l.version == 5 {
			size, n := varint.Uvarint(body)
			body = body[n+int(size):]
		}
		before, again := l.held[id]
		switch {
		case !again:
			l.held[id] = string(body)
			l.times[string(body)]++
		case before != string(body):
			l.t.Errorf("identifier %d means %q and %q", id, before, body)
		case l.strict && packet[0]&8 == 0:
			l.t.Errorf("%q is repeated without DUP", body)
		}
	case typePubRel:
		delete(l.held, varint.BigEndian.Uint16(body))
	}
}

func (l *ledger) mustEqual(want *ledger) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !maps.Equal(l.times, want.times) {
		l.t.Errorf("handed over: %v, want %v", l.times, want.times)
	}
}

// A receiver checks what its library shows: each text once and in order.
type receiver struct {
	*mqttClient
	lax  bool // a library on the way is known to repeat
	seen map[string]bool
}

func (c receiver) expect(step fmt.Stringer, texts ...string) {
	c.t.Helper()
	for _, want := range texts {
		for {
			m, ok := c.got.take(patience)
			if !ok {
				c.t.Fatalf("%v: %q does not come", step, want)
			}
			got := m.text()
			if got == want && !c.seen[want] {
				break
			}
			switch {
			case !c.seen[got]:
				c.t.Fatalf("%v: %q comes instead of %q", step, got, want)
			case !c.lax:
				c.t.Errorf("%v: %q comes twice, dup %v", step, got, m.Dup)
			}
		}
		c.seen[want] = true
	}
}
