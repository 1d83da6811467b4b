package mqttsn

import (
	"fmt"
	"strconv"
	"strings"
)

// Unlimited is the value that the word "unlimited" stands for; no number in a
// configuration means it.
const Unlimited = -1

// Max is a count that may be unlimited.
type Max int

// Rate is a number of events a second, written "10/s", that may be unlimited.
type Rate int

// UnmarshalText reads a count or "unlimited".
func (m *Max) UnmarshalText(text []byte) error {
	n, err := positive(string(text))
	*m = Max(n)
	return err
}

// UnmarshalText reads a rate or "unlimited".
func (r *Rate) UnmarshalText(text []byte) error {
	s, _ := strings.CutSuffix(string(text), "/s")
	n, err := positive(s)
	*r = Rate(n)
	return err
}

func positive(s string) (int, error) {
	if s == "unlimited" {
		return Unlimited, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is neither a number above 0 nor unlimited", s)
	}
	return n, nil
}

// MarshalText writes what UnmarshalText reads.
func (m Max) MarshalText() ([]byte, error) { return []byte(word(int(m), "")), nil }

// MarshalText writes what UnmarshalText reads.
func (r Rate) MarshalText() ([]byte, error) { return []byte(word(int(r), "/s")), nil }

func word(n int, unit string) string {
	if n == Unlimited {
		return "unlimited"
	}
	return strconv.Itoa(n) + unit
}
