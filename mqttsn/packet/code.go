package packet

import "fmt"

// Code is the ReturnCode field (section 5.3.10, table 5).
type Code uint8

// The return codes.
const (
	Accepted       Code = 0x00
	Congestion     Code = 0x01
	InvalidTopicID Code = 0x02
	NotSupported   Code = 0x03
)

// String is the specification's text.
func (c Code) String() string {
	switch c {
	case Accepted:
		return "accepted"
	case Congestion:
		return "rejected: congestion"
	case InvalidTopicID:
		return "rejected: invalid topic ID"
	case NotSupported:
		return "rejected: not supported"
	}
	return fmt.Sprintf("reserved(%02x)", uint8(c))
}
