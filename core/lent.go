package core

// Lent is a message for the length of one Publish, whose bytes are the
// caller's: a room lends what it has read. Most of QoS 0 goes no further than
// into the outputs of its receivers; whatever must wait, be retained or looked
// at by a hook is copied then. It may be used again after Publish.
type Lent struct {
	Message
	wire frame
}

// Lend makes it a message with that payload and nothing else.
func (l *Lent) Lend(payload []byte) *Message {
	m := &l.Message
	m.Topic, m.Payload, m.Meta, m.Origin = "", payload, nil, ""
	m.Expires, m.From, m.QoS, m.Retain = 0, 0, 0, false
	m.shared, m.loaded, m.lent, m.timed, m.record, m.rev = false, false, true, false, nil, 0
	l.wire = frame{}
	if m.frames.Load() != &l.wire { // a store costs more than the look
		m.frames.Store(&l.wire)
	}
	return m
}

// Encoded lends a form of the message as well, under its key, which is not 0.
func (l *Lent) Encoded(key uint32, data []byte) {
	l.wire.key, l.wire.data = key, data
}

// kept is the message as one that may be kept.
func (m *Message) kept() *Message {
	if !m.lent {
		return m
	}
	k := NewMessage(m.Payload)
	k.Topic, k.Meta, k.Origin, k.Expires, k.From, k.QoS, k.Retain = m.Topic, m.Meta, m.Origin, m.Expires, m.From, m.QoS, m.Retain
	k.shared, k.record, k.rev = m.shared, m.record, m.rev
	if at, ok := m.Accepted(); ok {
		k.accepted(at)
	}
	return k
}
