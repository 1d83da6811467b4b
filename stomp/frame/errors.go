package frame

import "fmt"

// Kind says which rule a frame broke. Each ends the connection: after it the
// parser cannot know where the next frame begins.
type Kind uint8

const (
	Malformed  Kind = iota + 1 // framing or escaping is wrong
	BadCommand                 // the first line is no command
	TooLarge                   // a limit is exceeded
)

func (k Kind) String() string {
	switch k {
	case Malformed:
		return "malformed"
	case BadCommand:
		return "bad command"
	case TooLarge:
		return "too large"
	}
	return ""
}

// ParseError is what Parser.Next returns for octets that are not STOMP.
type ParseError struct {
	Kind    Kind
	Reason  string // what is wrong, in words; for BadCommand the line itself
	Receipt []byte // the frame's receipt header, if it was readable
}

func (e *ParseError) Error() string {
	if e.Kind == BadCommand {
		return fmt.Sprintf("stomp: could not interpret command %q", e.Reason)
	}
	return "stomp: " + e.Reason
}

func malformed(reason string) *ParseError { return &ParseError{Kind: Malformed, Reason: reason} }
func tooLarge(reason string) *ParseError  { return &ParseError{Kind: TooLarge, Reason: reason} }
