package mqttsn

import (
	"fmt"
	"strconv"

	"github.com/entrepot/entrepot/adapters/limit"
)

// Unlimited is the value that the word "unlimited" stands for.
const Unlimited = limit.Unlimited

// Max is a count that may be unlimited.
type Max int

// Rate is a number of events a second, written "10/s", that may be unlimited.
type Rate = limit.Rate

// UnmarshalText reads a count or "unlimited".
func (m *Max) UnmarshalText(text []byte) error {
	n, err := positive(string(text))
	*m = Max(n)
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
func (m Max) MarshalText() ([]byte, error) {
	if m == Unlimited {
		return []byte("unlimited"), nil
	}
	return []byte(strconv.Itoa(int(m))), nil
}
