package topic

import (
	"strings"

	"pgregory.net/rapid"
)

// The generators draw from few levels, so that filters and names meet.

func genName() *rapid.Generator[string] {
	return genOf([]string{"a", "b", "", "a!", "a0", "$x", "*", "ü"}, 5)
}

// genFilter draws filters of MQTT.
func genFilter() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		f := genOf([]string{"a", "b", "", "a!", "+", "+", "$x"}, 5).Draw(t, "levels")
		if rapid.IntRange(0, 2).Draw(t, "open") == 0 {
			return strings.TrimPrefix(f+"/#", "/")
		}
		return f
	})
}

// genWide draws wide filters, not normalised.
func genWide() *rapid.Generator[string] {
	return genOf([]string{"a", "b", "", "a!", "+", "#", "#", "$x"}, 6)
}

func genOf(levels []string, most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(levels), 1, most).Draw(t, "levels"), "/")
		if s == "" {
			return "a"
		}
		return s
	})
}
