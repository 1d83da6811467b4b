package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Show writes what holds as YAML that means the same, but that secrets are ***. With sources each value is followed by
// where it comes from. defaults is the documented file, which knows what zero values mean.
func (c *Config) Show(defaults []byte, sources bool) string {
	w := &shower{sources: sources}
	for _, e := range c.effective(defaults).keys {
		w.entry("", e.key, e.value)
	}
	return w.String()
}

type shower struct {
	strings.Builder
	sources bool
}

func (w *shower) line(text string, at origin, leaf bool) {
	w.WriteString(text)
	if w.sources && leaf {
		w.WriteString("  # " + at.source())
	}
	w.WriteByte('\n')
}

func (w *shower) entry(indent, key string, n *node) {
	head := indent + word(key) + ":"
	switch {
	case n.kind == kindScalar:
		w.line(head+" "+word(n.text), n.at, true)
	case n.kind == kindMap && len(n.keys) == 0:
		w.line(head+" {}", n.at, true)
	case n.kind == kindMap:
		w.line(head, n.at, false)
		for _, e := range n.keys {
			w.entry(indent+"  ", e.key, e.value)
		}
	case n.flat() && (!w.sources || n.oneSource()):
		words := make([]string, len(n.items))
		for i, item := range n.items {
			words[i] = word(item.text)
		}
		at := n.at
		if len(n.items) > 0 {
			at = n.items[0].at
		}
		w.line(head+" ["+strings.Join(words, ", ")+"]", at, true)
	default:
		w.line(head, n.at, false)
		for _, item := range n.items {
			w.item(indent+"  ", item)
		}
	}
}

func (w *shower) item(indent string, n *node) {
	if n.kind != kindMap || len(n.keys) == 0 {
		text := "{}"
		if n.kind == kindScalar {
			text = word(n.text)
		}
		w.line(indent+"- "+text, n.at, true)
		return
	}
	inner := &shower{sources: w.sources}
	for _, e := range n.keys {
		inner.entry(indent+"  ", e.key, e.value)
	}
	w.WriteString(indent + "- " + strings.TrimPrefix(inner.String(), indent+"  "))
}

// flat tells that a list holds words only.
func (n *node) flat() bool {
	return !slices.ContainsFunc(n.items, func(i *node) bool { return i.kind != kindScalar })
}

func (n *node) oneSource() bool {
	return !slices.ContainsFunc(n.items, func(i *node) bool { return i.at.source() != n.items[0].at.source() })
}

// word writes a scalar so that it is read as the same text.
func word(s string) string {
	switch s {
	case "null", "Null", "NULL", "~":
		return `"` + s + `"`
	case hidden:
		return `"` + hidden + `"`
	}
	if strings.Contains(s, "$") { // $$ and ${ mean something
		s = strings.ReplaceAll(strings.ReplaceAll(s, "$$", "$$$$"), "${", "$${")
	}
	return quote(s)
}

// Diff lists what holds here and not there, a line for each value: - of the other, + of this.
func (c *Config) Diff(other *Config, defaults []byte) []string {
	have, had := map[string]string{}, map[string]string{}
	flatten("", c.effective(defaults), have)
	flatten("", other.effective(defaults), had)
	paths := map[string]bool{}
	for p := range have {
		paths[p] = true
	}
	for p := range had {
		paths[p] = true
	}
	var lines []string
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		old, was := had[p]
		now, is := have[p]
		if old == now && was == is {
			continue
		}
		if was {
			lines = append(lines, "- "+p+": "+old)
		}
		if is {
			lines = append(lines, "+ "+p+": "+now)
		}
	}
	return lines
}

// flatten names each value by its path; elements of lists by their url or name, where they have one.
func flatten(path string, n *node, into map[string]string) {
	switch n.kind {
	case kindScalar:
		into[path] = word(n.text)
	case kindMap:
		for _, e := range n.keys {
			flatten(strings.TrimPrefix(path+"."+e.key, "."), e.value, into)
		}
	case kindList:
		seen := map[string]int{}
		for i, item := range n.items {
			name := fmt.Sprint(i)
			for _, key := range []string{"url", "name"} {
				if c := item.child(key); c != nil {
					name = c.text
				}
			}
			if seen[name]++; seen[name] > 1 {
				name = fmt.Sprintf("%s#%d", name, seen[name])
			}
			flatten(path+"["+name+"]", item, into)
		}
	}
}
