package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// effective makes a tree of what holds: defaults, file, environment and flags together, each value with its origin; the
// zero one is the default's. Zero values that mean a default show what the documented file, defaults, says of it.
func (c *Config) effective(defaults []byte) *node {
	var def *node
	if len(defaults) > 0 {
		def, _ = parse("", defaults)
	}
	root := newMap(origin{})
	add := func(name string, v reflect.Value) {
		if n := effectiveOf(v, "", c.root.child(name), def.child(name)); n != nil {
			root.keys = append(root.keys, &entry{key: name, value: n})
		}
	}
	for _, f := range fields(reflect.TypeFor[Config]()) {
		if f.name == "listeners" {
			root.keys = append(root.keys, &entry{key: f.name, value: c.effectiveListeners(def)})
			continue
		}
		add(f.name, reflect.ValueOf(c).Elem().FieldByIndex(f.index))
	}
	for _, name := range slices.Sorted(maps.Keys(c.schema.sections)) {
		add(name, reflect.ValueOf(c.schema.sections[name]).Elem())
	}
	return root
}

// effectiveListeners shows of each listener its own keys, and those of its protocol that it repeats.
func (c *Config) effectiveListeners(def *node) *node {
	written := c.root.child("listeners")
	list := &node{kind: kindList}
	for i := range c.Listeners {
		l := &c.Listeners[i]
		var n *node
		if written != nil && i < len(written.items) {
			n = written.items[i]
		}
		m := effectiveOf(reflect.ValueOf(l).Elem(), "", n, nil)
		if n != nil && n.kind == kindScalar { // the short form
			m.child("url").at = n.at
		}
		for _, name := range slices.Sorted(maps.Keys(l.Sections)) {
			section := reflect.ValueOf(l.Sections[name]).Elem()
			for _, f := range fields(section.Type()) {
				if w := n.child(f.name); w != nil && m.child(f.name) == nil {
					if v := effectiveOf(section.FieldByIndex(f.index), f.tag, w, def.child(name).child(f.name)); v != nil {
						m.keys = append(m.keys, &entry{key: f.name, value: v})
					}
				}
			}
		}
		m.keys = slices.DeleteFunc(m.keys, func(e *entry) bool { // what says nothing, and is not for every transport
			return e.value.at == (origin{}) && e.value.kind != kindScalar && len(e.value.items)+len(e.value.keys) == 0
		})
		list.items = append(list.items, m)
	}
	return list
}

// effectiveOf is a value as the file would write it; nil if it was not written and has no word for itself.
func effectiveOf(v reflect.Value, tag reflect.StructTag, n, def *node) *node {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	var at origin
	if n != nil {
		at = n.at
	}
	if isScalar(v.Type()) {
		return effectiveScalar(v, tag, n, def)
	}
	switch v.Kind() {
	case reflect.Struct:
		m := newMap(at)
		for _, f := range fields(v.Type()) {
			child := n.child(f.name)
			if f.tag.Get("short") != "" && n != nil && n.kind != kindMap {
				child = n
			}
			if plain := tag.Get("plain"); plain == f.name && n != nil && n.kind == kindScalar {
				child = n
			}
			if c := effectiveOf(v.FieldByIndex(f.index), f.tag, child, def.child(f.name)); c != nil {
				m.keys = append(m.keys, &entry{key: f.name, value: c})
			}
		}
		return m
	case reflect.Slice:
		l := &node{kind: kindList, at: at}
		for i := range v.Len() {
			item := n.item(i)
			if c := effectiveOf(v.Index(i), tag, item, nil); c != nil {
				l.items = append(l.items, c)
			}
		}
		if v.Len() == 0 && n == nil && def != nil && def.kind == kindList {
			return def.unplaced()
		}
		return l
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		m := newMap(at)
		for _, k := range v.MapKeys() {
			key := plainText(k, "")
			if c := effectiveOf(v.MapIndex(k), tag, n.child(key), nil); c != nil {
				m.keys = append(m.keys, &entry{key: key, value: c})
			}
		}
		slices.SortFunc(m.keys, func(a, b *entry) int { return strings.Compare(a.key, b.key) })
		return m
	}
	return nil
}

func effectiveScalar(v reflect.Value, tag reflect.StructTag, n, def *node) *node {
	if n != nil {
		return newScalar(plainText(v, tag), n.at)
	}
	if v.IsZero() && def != nil && def.kind == kindScalar {
		said := reflect.New(v.Type()).Elem()
		if SetText(said, def.text, tag) != nil {
			return newScalar(def.text, origin{})
		}
		return newScalar(plainText(said, tag), origin{})
	}
	text := plainText(v, tag)
	if SetText(reflect.New(v.Type()).Elem(), text, tag) != nil || v.IsZero() && v.Kind() != reflect.Bool {
		return nil // no word of the file means it
	}
	return newScalar(text, origin{})
}

// plainText is the word of a value, without quotes.
func plainText(v reflect.Value, tag reflect.StructTag) string {
	if number := tag.Get("unlimited"); number != "" {
		limit := reflect.New(v.Type()).Elem()
		if setUnlimited(limit, number) == nil && limit.Equal(v) {
			return Unlimited
		}
	}
	if v.Kind() == reflect.String && v.Type().PkgPath() == "" || v.Type() == fileType {
		return HidePassword(v.String())
	}
	if v.CanInterface() {
		if m, ok := v.Interface().(interface{ MarshalText() ([]byte, error) }); ok {
			if b, err := m.MarshalText(); err == nil {
				return string(b)
			}
		}
	}
	return Format(v)
}

// item is an element of a list; a scalar is a list of one.
func (n *node) item(i int) *node {
	switch {
	case n == nil:
	case n.kind == kindList && i < len(n.items):
		return n.items[i]
	case n.kind == kindScalar && i == 0:
		return n
	}
	return nil
}

// unplaced is the value as a default: from no place.
func (n *node) unplaced() *node {
	c := &node{kind: n.kind, text: n.text}
	for _, e := range n.keys {
		c.keys = append(c.keys, &entry{key: e.key, value: e.value.unplaced()})
	}
	for _, i := range n.items {
		c.items = append(c.items, i.unplaced())
	}
	return c
}

// source names where a value comes from: default, file:line, env NAME, or the flag.
func (o origin) source() string {
	switch o.file {
	case fromEnvironment:
		return "env " + o.text
	case fromSet, fromListen:
		return "flag " + o.file
	}
	return o.String()
}

// A NamedFile is a file that the configuration names by a key; without one it is the configuration itself.
type NamedFile struct{ Path, Name string }

// Files are the files that the configuration consists of and that it names.
func (c *Config) Files() (list []NamedFile) {
	for i, s := range c.sources {
		list = append(list, NamedFile{map[bool]string{true: "", false: "include"}[i == 0], s.path})
	}
	add := func(path string, v reflect.Value) { list = append(list, namedFiles(path, v, "")...) }
	for i := range c.Listeners {
		add(fmt.Sprintf("listeners[%d]", i), reflect.ValueOf(&c.Listeners[i]))
	}
	for _, name := range slices.Sorted(maps.Keys(c.schema.sections)) {
		add(name, reflect.ValueOf(c.schema.sections[name]))
	}
	return list
}

func namedFiles(path string, v reflect.Value, tag reflect.StructTag) (list []NamedFile) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch {
	case v.Type() == fileType && v.String() != "":
		return []NamedFile{{path, v.String()}}
	case v.Type() == secretType:
		if file := v.Interface().(Secret).from; file != "" {
			return []NamedFile{{path, file}}
		}
	case tag.Get("file") != "":
		if file, ok := strings.CutPrefix(v.String(), tag.Get("file")); ok {
			return []NamedFile{{path, file}}
		}
	case isScalar(v.Type()):
	case v.Kind() == reflect.Struct:
		for _, f := range fields(v.Type()) {
			list = append(list, namedFiles(path+"."+f.name, v.FieldByIndex(f.index), f.tag)...)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			list = append(list, namedFiles(fmt.Sprintf("%s[%d]", path, i), v.Index(i), tag)...)
		}
	}
	return list
}
