package message

// Type is the T field of the header (RFC 7252, section 3).
type Type uint8

// The four message types.
const (
	CON Type = 0 // Confirmable
	NON Type = 1 // Non-confirmable
	ACK Type = 2 // Acknowledgement
	RST Type = 3 // Reset
)

func (t Type) String() string {
	return [...]string{"CON", "NON", "ACK", "RST"}[t&3]
}
