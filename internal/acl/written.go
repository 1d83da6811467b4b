package acl

import (
	"encoding"
	"strconv"
)

var _ encoding.TextUnmarshaler = (*Rule)(nil)

// UnmarshalText reads a rule as [Parse] does, so that a configuration may hold lists of rules.
func (r *Rule) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// MarshalText writes the rule as it was written.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.Text), nil }

// String is the rule as it was written.
func (r Rule) String() string { return r.Text }

// Locate tells the rule where it was written: a file and its line, or a flag or the environment and 0.
func (r *Rule) Locate(file string, line int) {
	r.At = file
	if line > 0 {
		r.At += ":" + strconv.Itoa(line)
	}
}
