package config

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A field is one key of a section: its name, its place in the structure, and what its tags say.
//
// Tags: yaml:"name" gives the key's name (otherwise the Go name in snake_case; "-" is no key), enum:"a,b" the words that
// are allowed, min and max bound the value and are written like it, unlimited:"N" is the number that stands for the word
// unlimited, plain:"key" names the key of a map of words that a plain value sets, path:"word" makes the text a path of a
// file, but for that word, short:"yes" marks the key of a structure that a list, or one value, in the structure's place sets.
type field struct {
	name  string
	index []int
	tag   reflect.StructTag
}

// fields lists the keys of a structure in their order; embedded structures count as their outer one.
func fields(t reflect.Type) (list []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "-" || !settable(f.Type) {
			continue
		}
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range fields(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				list = append(list, inner)
			}
			continue
		}
		if name == "" {
			name = Snake(f.Name)
		}
		list = append(list, field{name: name, index: []int{i}, tag: f.Tag})
	}
	return list
}

// settable tells whether text can become a value of the type; functions, channels and interfaces are for programs.
func settable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.Interface, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return settable(t.Elem())
	}
	return true
}

// shortOf is the key that a list in a structure's place sets.
func shortOf(list []field) (field, bool) {
	i := slices.IndexFunc(list, func(f field) bool { return f.tag.Get("short") != "" })
	if i < 0 {
		return field{}, false
	}
	return list[i], true
}

func fieldNames(list []field) []string {
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = f.name
	}
	return names
}

// Snake turns a Go name into a key: MaxPacketSize into max_packet_size, QueueQoS0 into queue_qos0.
func Snake(name string) string {
	name = strings.ReplaceAll(name, "QoS", "Qos")
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		upper := unicode.IsUpper(r)
		if upper && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
