package topic

import "strings"

// Positions in a topic: the start of a level, or len+1 past the last one.
// So "a/" has levels at 0 and 2 and ends at 3, and "" has none and ends at 1.

// first is the position of the first level of s.
func first(s string) int {
	if s == "" {
		return 1
	}
	return 0
}

// levelEnd is the end of the level that starts at pos; the next starts one on.
func levelEnd(s string, pos int) int {
	if i := strings.IndexByte(s[pos:], '/'); i >= 0 {
		return pos + i
	}
	return len(s)
}

// levels counts the levels of s.
func levels(s string) int {
	if s == "" {
		return 0
	}
	return strings.Count(s, "/") + 1
}

// split cuts s into its levels.
func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "/")
}

// leadingWildcard says whether s is a filter whose first level is a wildcard.
func leadingWildcard(s string) bool {
	return s != "" && (s[0] == '+' || s[0] == '#') && (len(s) == 1 || s[1] == '/')
}

// hidden says whether the name is out of reach of leading wildcards
// [MQTT-4.7.2-1].
func hidden(name string) bool { return name != "" && name[0] == '$' }
