package core

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
