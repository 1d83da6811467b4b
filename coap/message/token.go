package message

import "fmt"

// MaxTokenLen is the longest token, in octets (RFC 7252, section 3).
const MaxTokenLen = 8

// Token is a token of 0 to 8 octets as a value: comparable, so that it can be
// a map key, and free of the datagram it came in. Two tokens of different
// length differ, even if one is the other with zeros behind.
type Token struct {
	octets [MaxTokenLen]byte
	n      uint8
}

// NewToken returns b as a token; ok is false if b has more than 8 octets.
func NewToken(b []byte) (t Token, ok bool) {
	if len(b) > MaxTokenLen {
		return Token{}, false
	}
	return makeToken(b), true
}

func makeToken(b []byte) (t Token) {
	t.n = uint8(copy(t.octets[:], b))
	return t
}

// Len returns the number of octets, 0 to 8.
func (t Token) Len() int { return int(t.n) }

// AppendTo appends the octets of t to b.
func (t Token) AppendTo(b []byte) []byte { return append(b, t.octets[:t.n]...) }

func (t Token) String() string { return fmt.Sprintf("%x", t.octets[:t.n]) }
