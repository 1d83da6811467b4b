package mqtt

import "github.com/entrepot/entrepot/mqtt/packet"

// inbound holds the packet identifiers that the client uses in exchanges that
// are not complete: QoS 1 whose PUBACK waits, QoS 2 until PUBCOMP, SUBSCRIBE
// and UNSUBSCRIBE whose acknowledgement waits. Whether a QoS 2 identifier is a
// duplicate is not decided here but by the session, which outlives the
// connection.
type inbound struct {
	ids   map[uint16]packet.Type // PUBACK, PUBREC, SUBACK, UNSUBACK: what is owed
	count int                    // QoS 1 and 2 that count against our Receive Maximum
	held  int                    // QoS 2 among them
}

// begin notes an exchange.
func (b *inbound) begin(id uint16, owed packet.Type) {
	if b.ids == nil {
		b.ids = map[uint16]packet.Type{}
	}
	b.ids[id] = owed
	if owed == packet.PUBACK || owed == packet.PUBREC {
		b.count++
	}
	if owed == packet.PUBREC {
		b.held++
	}
}

// end forgets it, if it is of that kind; an identifier that is not known, of a
// connection before, changes nothing, so that the quota never exceeds its
// maximum. MF4
func (b *inbound) end(id uint16, owed packet.Type) {
	if have, ok := b.ids[id]; !ok || have != owed {
		return
	}
	delete(b.ids, id)
	if owed == packet.PUBACK || owed == packet.PUBREC {
		b.count--
	}
	if owed == packet.PUBREC {
		b.held--
	}
	if len(b.ids) == 0 {
		b.ids = nil
	}
}

// owed returns what the identifier is used for.
func (b *inbound) owed(id uint16) (packet.Type, bool) {
	t, ok := b.ids[id]
	return t, ok
}
