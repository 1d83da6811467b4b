package mqttsn

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// predefined are topic ids that gateway and client know without registering.
type predefined struct {
	names map[uint16]string
	ids   map[string]uint16
}

// patternsFor are the keys of predefined_clients that match a client id, the
// longest, which wins, last.
func (c *Config) patternsFor(clientID string) []string {
	var patterns []string
	for pattern := range c.PredefinedClients {
		if match(pattern, clientID) {
			patterns = append(patterns, pattern)
		}
	}
	slices.SortFunc(patterns, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return patterns
}

// predefinedBy is the common table, overlaid with those of patterns.
func (c *Config) predefinedBy(patterns []string) *predefined {
	p := &predefined{names: maps.Clone(c.Predefined), ids: map[string]uint16{}}
	if p.names == nil {
		p.names = map[uint16]string{}
	}
	for _, pattern := range patterns {
		maps.Copy(p.names, c.PredefinedClients[pattern])
	}
	for id, name := range p.names {
		if have, taken := p.ids[name]; !taken || id < have {
			p.ids[name] = id
		}
	}
	return p
}

// match compares s with a pattern in which '*' stands for any text.
func match(pattern, s string) bool {
	for i := range len(pattern) {
		if pattern[i] != '*' {
			if i >= len(s) || s[i] != pattern[i] {
				return false
			}
			continue
		}
		for j := i; j <= len(s); j++ {
			if match(pattern[i+1:], s[j:]) {
				return true
			}
		}
		return false
	}
	return len(pattern) == len(s)
}
