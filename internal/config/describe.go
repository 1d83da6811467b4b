package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Field is one key of a section, for those who describe the configuration.
type Field struct {
	Name  string
	Index []int // as reflect.Value.FieldByIndex wants it
	Tag   reflect.StructTag
}

// Fields lists the keys of a section's structure.
func Fields(t reflect.Type) []Field {
	list := fields(t)
	out := make([]Field, len(list))
	for i, f := range list {
		out[i] = Field{Name: f.name, Index: f.index, Tag: f.tag}
	}
	return out
}

// IsScalar tells whether values of the type are written as one word.
func IsScalar(t reflect.Type) bool { return isScalar(t) }

// SetText stores the value that a word stands for.
func SetText(v reflect.Value, text string, tag reflect.StructTag) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if !isScalar(v.Type()) {
		return fmt.Errorf("not one word")
	}
	return setScalar(v, text, tag)
}

// Format writes a value as the file does.
func Format(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return FormatDuration(d)
	}
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String())
	case reflect.Slice:
		words := make([]string, v.Len())
		for i := range words {
			words[i] = Format(v.Index(i))
		}
		return "[" + strings.Join(words, ", ") + "]"
	case reflect.Map:
		return "{}"
	}
	return fmt.Sprint(v.Interface())
}

// quote leaves a word bare where YAML reads it as the same word.
func quote(s string) string {
	plain := s != ""
	for _, r := range s {
		plain = plain && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./_-", r))
	}
	if plain && s[0] != '-' {
		return s
	}
	return strconv.Quote(s)
}
