package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A schema is what the tree is decoded into.
type schema struct {
	config    *Config
	sections  map[string]any
	protocols map[string][]string
	environ   []string
}

// sectionNames lists all sections that exist.
func (s schema) sectionNames() []string {
	return append(append(fieldNames(fields(reflect.TypeFor[Config]())), "include"), slices.Sorted(maps.Keys(s.sections))...)
}

// decode fills the structures from the tree and reports every mistake.
func (s schema) decode(root *node) Problems {
	d := &decoder{environ: s.environ}
	own := fields(reflect.TypeFor[Config]())
	for _, e := range root.keys {
		if e.key == "listeners" {
			continue // after the sections, whose values they start from
		}
		if i := slices.IndexFunc(own, func(f field) bool { return f.name == e.key }); i >= 0 {
			d.value(e.value, reflect.ValueOf(s.config).Elem().FieldByIndex(own[i].index), own[i].tag, e.key)
		} else if _, ok := s.sections[e.key]; !ok {
			d.unknown(e, "", s.sectionNames())
		}
	}
	s.decodeSections(d, root)
	s.decodeListeners(d, root.child("listeners"))
	return d.problems
}

// decodeSections fills the further sections, and lets each say what is wrong with it as a whole.
func (s schema) decodeSections(d *decoder, root *node) {
	wrong := map[string]bool{}
	for _, e := range root.keys {
		if target, ok := s.sections[e.key]; ok {
			before := len(d.problems)
			d.value(e.value, reflect.ValueOf(target).Elem(), "", e.key)
			wrong[e.key] = d.problems[before:].Failed()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.sections)) {
		if !wrong[name] { // else a value is not the one that was meant
			d.validate(s.sections[name], root.child(name), name, name)
		}
	}
}

type decoder struct {
	environ  []string
	problems Problems
}

func (d *decoder) fail(at origin, code, path, message string) *Problem {
	d.problems = append(d.problems, at.problem(code, path, message))
	return &d.problems[len(d.problems)-1]
}

// warn reports what works and should be changed all the same.
func (d *decoder) warn(at origin, code, path, message string) *Problem {
	p := d.fail(at, code, path, message)
	p.Warning = true
	return p
}

func (d *decoder) unknown(e *entry, in string, known []string) {
	what := "section"
	if in != "" {
		what = "key"
	}
	message := fmt.Sprintf("unknown %s %q", what, e.key)
	if in != "" {
		message += " in " + in
	}
	p := d.fail(e.at, CodeUnknown, in, message)
	p.Hint, p.unknown = didYouMean(e.key, known), e.key
}

// value decodes a node into v, whatever v is.
func (d *decoder) value(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	if v.Kind() == reflect.Pointer {
		if n.kind == kindNull {
			return
		}
		fresh := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			fresh.Elem().Set(v.Elem())
		}
		d.value(n, fresh.Elem(), tag, path)
		v.Set(fresh)
		return
	}
	if isScalar(v.Type()) {
		d.scalarValue(n, v, tag, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structValue(n, v, tag, path)
		n.locate(v)
	case reflect.Slice:
		d.sliceValue(n, v, tag, path)
	case reflect.Map:
		d.mapValue(n, v, tag, path)
	}
}

func (d *decoder) structValue(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	list := fields(v.Type())
	if f, ok := shortOf(list); ok && (n.kind == kindScalar || n.kind == kindList) {
		d.value(n, v.FieldByIndex(f.index), f.tag, path)
		return
	}
	switch n.kind {
	case kindNull:
		return
	case kindScalar:
		plain := tag.Get("plain")
		if i := slices.IndexFunc(list, func(f field) bool { return f.name == plain }); plain != "" && i >= 0 {
			d.value(n, v.FieldByIndex(list[i].index), list[i].tag, path+"."+plain)
			return
		}
		fallthrough
	case kindList:
		d.fail(n.at, CodeType, path, fmt.Sprintf("%s holds keys, not %s", path, n.describe())).Hint = "its keys are " + join(fieldNames(list))
		return
	}
	for _, e := range n.keys {
		i := slices.IndexFunc(list, func(f field) bool { return f.name == e.key })
		if i < 0 {
			d.unknown(e, path+n.label(), fieldNames(list))
			continue
		}
		d.value(e.value, v.FieldByIndex(list[i].index), list[i].tag, path+"."+e.key)
	}
}

func (d *decoder) sliceValue(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	items := n.items
	switch n.kind {
	case kindNull:
		return
	case kindMap:
		d.fail(n.at, CodeType, path, fmt.Sprintf("%s is a list, not %s", path, n.describe())).Hint = "write [a, b] or one line with - for each"
		return
	case kindScalar: // one value is a list of one
		items = []*node{n}
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		d.value(item, out.Index(i), tag, path+"["+strconv.Itoa(i)+"]")
	}
	v.Set(out)
}

func (d *decoder) mapValue(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	switch n.kind {
	case kindNull:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type())) // it was written
		}
		return
	case kindScalar, kindList:
		d.fail(n.at, CodeType, path, fmt.Sprintf("%s holds keys, not %s", path, n.describe()))
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, e := range n.keys {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		before := len(d.problems)
		d.scalarValue(newScalar(e.key, e.at), key, "", path)
		d.value(e.value, value, tag, path+"."+e.key)
		if len(d.problems) == before {
			out.SetMapIndex(key, value)
		}
	}
	v.Set(out)
}

// validate asks a section for mistakes that concern more than one key.
func (d *decoder) validate(section any, n *node, name, path string) {
	checked, ok := section.(interface{ Validate() error })
	if !ok {
		return
	}
	err := checked.Validate()
	if err == nil {
		return
	}
	at := origin{file: "configuration"}
	if n != nil {
		at = n.at
	}
	message := err.Error()
	// A section names the key that is wrong as section.key or section.list[1].key: then its own place is shown.
	if rest, ok := strings.CutPrefix(message, name+"."); ok {
		key, _, _ := strings.Cut(rest, ":")
		if child := n.find(strings.TrimSpace(key)); child != nil {
			at = child.at
		}
		message = rest
	}
	d.fail(at, CodeRange, path, path+": "+message)
}

// label names an element of a list by what it calls itself. OPERATIONS C15
func (n *node) label() string {
	for _, key := range []string{"name", "url"} {
		if c := n.child(key); c != nil && c.kind == kindScalar {
			return " (" + clip(c.text) + ")"
		}
	}
	return ""
}

// describe names what a node is, in a reader's words.
func (n *node) describe() string {
	switch n.kind {
	case kindMap:
		return "keys of its own"
	case kindList:
		return "a list"
	case kindNull:
		return "nothing"
	}
	return strconv.Quote(clip(n.shown()))
}

// shown is what messages show of a scalar: not what a variable holds.
func (n *node) shown() string {
	if n.expanded {
		return n.written
	}
	return n.text
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
