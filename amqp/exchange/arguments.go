package exchange

import (
	"fmt"
	"slices"
	"strings"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// Canonical is a text of a declaration's arguments that is equal when they
// mean the same: in the order of names, numbers by value whatever their field
// type (AQ31).
func Canonical(t wire.Table) string {
	var parts []string
	seen := map[string]bool{}
	for name, v := range t.All() {
		if n := string(name); !seen[n] {
			seen[n] = true
			parts = append(parts, fmt.Sprintf("%q=%s", n, canonicalValue(v)))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

func canonicalValue(v wire.Value) string {
	if n, ok := v.Int(); ok {
		return fmt.Sprint(n)
	}
	if f, ok := v.Float(); ok {
		return fmt.Sprintf("f%g", f)
	}
	if t, ok := v.Table(); ok {
		return "{" + Canonical(t) + "}"
	}
	if v.Type == 'A' {
		var parts []string
		for e := range v.Array() {
			parts = append(parts, canonicalValue(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprintf("%c%q", v.Type, v.Raw)
}
