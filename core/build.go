package core

import "unsafe"

// Small payloads share one allocation with their message. The classes keep
// the waste below half.
type (
	message64 struct {
		Message
		data [64]byte
	}
	message256 struct {
		Message
		data [256]byte
	}
	message1024 struct {
		Message
		data [1024]byte
	}
)

// NewMessage makes a message with a copy of the payload, in one allocation
// when it is small.
func NewMessage(payload []byte) *Message {
	n := len(payload)
	var m *Message
	switch {
	case n == 0:
		return new(Message)
	case n <= 64:
		x := new(message64)
		m = &x.Message
		m.Payload = x.data[:n:n]
	case n <= 256:
		x := new(message256)
		m = &x.Message
		m.Payload = x.data[:n:n]
	case n <= 1024:
		x := new(message1024)
		m = &x.Message
		m.Payload = x.data[:n:n]
	default:
		m = &Message{Payload: make([]byte, n)}
	}
	copy(m.Payload, payload)
	return m
}

const (
	classes      = 3
	keptMessages = 1024 // of each class, by a turn
)

// NewMessage is NewMessage with the memory of one that has been settled, where
// there is such a one. It is for rooms that let go of a message at Publish. What
// a delivery of it holds must not be looked at after its Settle.
func (t *Turn) NewMessage(payload []byte) *Message {
	n, class := len(payload), uint8(0)
	switch {
	case n == 0 || n > 1024:
	case n <= 64:
		class = 1
	case n <= 256:
		class = 2
	default:
		class = 3
	}
	if class == 0 {
		return NewMessage(payload)
	}
	var m *Message
	if spare := t.spare[class-1]; len(spare) > 0 {
		m = spare[len(spare)-1]
		t.spare[class-1] = spare[:len(spare)-1]
		m.Payload = m.room()[:n:n]
		copy(m.Payload, payload)
	} else {
		m = NewMessage(payload)
	}
	m.class = class
	return m
}

// room is the memory for the payload behind a message of a class.
func (m *Message) room() []byte {
	p := unsafe.Pointer(m) // each class begins with it
	switch m.class {
	case 1:
		return (*message64)(p).data[:]
	case 2:
		return (*message256)(p).data[:]
	}
	return (*message1024)(p).data[:]
}

// unlink makes m refer to nothing.
func (m *Message) unlink() {
	m.Topic, m.Payload, m.Meta, m.Origin, m.record = "", nil, nil, "", nil
	if m.frames.Load() != nil {
		m.frames.Store(nil)
	}
}

// reuse keeps the memory of a message that nothing refers to any more.
func (t *Turn) reuse(m *Message) {
	if len(t.spare[m.class-1]) >= keptMessages {
		return
	}
	if spoils { // who still looks finds this
		for i, data := 0, m.room(); i < len(data); i++ {
			data[i] = 0xA5
		}
	}
	class := m.class
	m.unlink()
	m.Expires, m.From, m.QoS, m.Retain = 0, 0, 0, false
	m.shared, m.sole, m.timed, m.rev = false, false, false, 0
	t.spare[class-1] = append(t.spare[class-1], m)
}
