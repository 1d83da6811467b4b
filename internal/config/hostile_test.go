package config

import (
	"strings"
	"testing"
	"time"
)

// Each shape took the parser minutes before its lines, keys and nesting were bounded; now a second or two.
func TestHostileTextOfTheLargestSizeIsReadInTime(t *testing.T) {
	const most = maxFile/hostileShare - 16
	for name, text := range map[string]string{
		"keys":     strings.Repeat("a: 1\n", most/5),
		"returns":  strings.Repeat("a: 1\r", most/5),
		"list":     strings.Repeat("- a: 1\n", most/7),
		"items":    "a:\n" + strings.Repeat("- \n", most/3),
		"dashes":   strings.Repeat("- ", most/2),
		"brackets": strings.Repeat("[", most),
		"braces":   strings.Repeat("{a: ", most/4),
		"flow":     "{" + strings.Repeat("a: 1, ", most/6),
		"aliases":  "a: &a 1\nb: [" + strings.Repeat("*a,", most/3) + "]",
		"anchors":  strings.Repeat("&a ", most/3),
		"tags":     strings.Repeat("!a ", most/3),
		"colons":   strings.Repeat("a:", most/2),
		"quoted":   "a: \"" + strings.Repeat("x ", most/2),
		"variable": "a: " + strings.Repeat("${A}", most/4),
	} {
		began := time.Now()
		c := read(Input{File: "a"}, memory(map[string]string{"a": text}))
		if !c.problems.Failed() {
			t.Errorf("%s is accepted", name)
		}
		if n := len(c.problems.Error()); n > 1<<20 {
			t.Errorf("%s: %d bytes of problems", name, n)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s took %s", name, took)
		}
	}
}
