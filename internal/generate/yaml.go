package main

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
)

// writer gathers the lines of default.yaml.
type writer struct {
	strings.Builder
	root string
	err  error
}

// defaultYAML writes every section and key with its default and its comment.
func defaultYAML(root string) (string, error) {
	w := &writer{root: root}
	w.WriteString(`# Every key of entrepot with its default. Generated from the code by "make generate"; copy what you change.
# Durations are written 5s 10m 7d, sizes 64KiB 16MiB, rates 2000/s; unlimited is a word and 0 is 0.
# ${NAME} and ${NAME:-default} are replaced in values. ENTREPOT_LIMITS__CONNECTIONS=100 and --set limits.connections=100
# set keys too; flags win over the environment, and that over this file.
`)
	c := config.Default()
	w.section("node", reflect.ValueOf(c.Node))
	w.listeners()
	sections := gateway.Sections()
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		w.section(name, reflect.ValueOf(sections[name]).Elem())
	}
	w.section("admin", reflect.ValueOf(c.Admin))
	w.section("log", reflect.ValueOf(c.Log))
	return w.String(), w.err
}

func (w *writer) comment(indent, text string) {
	for text != "" {
		line := text
		if limit := 118 - len(indent); len(line) > limit {
			cut := strings.LastIndexByte(line[:limit], ' ')
			if cut < 0 {
				cut = limit
			}
			line = line[:cut]
		}
		fmt.Fprintf(w, "%s# %s\n", indent, line)
		text = strings.TrimSpace(text[len(line):])
	}
}

func (w *writer) section(name string, v reflect.Value) {
	doc, _, err := comments(w.root, v.Type())
	w.err = first(w.err, err)
	w.WriteByte('\n')
	about, _, _ := strings.Cut(afterName(doc), ". ")
	w.comment("", strings.TrimSuffix(about, ".")+".")
	switch v.Kind() {
	case reflect.Map:
		if v.IsNil() { // to write it, though empty, says something
			w.WriteString("# ")
		}
		fmt.Fprintf(w, "%s: {}\n", name)
		if element := v.Type().Elem(); element.Kind() == reflect.Struct {
			fmt.Fprintln(w, "  # NAME:")
			w.elementKeys("  #   ", element)
		}
	case reflect.Slice:
		fmt.Fprintf(w, "%s: []\n", name)
		if element := v.Type().Elem(); element.Kind() == reflect.Struct {
			w.elementKeys("  # ", element)
		}
	default:
		fmt.Fprintf(w, "%s:\n", name)
		w.fields("  ", v)
	}
}

// afterName drops "Config is" from the comment of a type, which is for programmers.
func afterName(doc string) string {
	for _, verb := range []string{" is ", " are "} {
		if name, rest, ok := strings.Cut(doc, verb); ok && rest != "" && !strings.Contains(name, " ") {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return doc
}

func (w *writer) fields(indent string, v reflect.Value) {
	_, docs, err := comments(w.root, v.Type())
	w.err = first(w.err, err)
	for _, f := range config.Fields(v.Type()) {
		fv := v.FieldByIndex(f.Index)
		text := docs[v.Type().FieldByIndex(f.Index).Name]
		if fv.Kind() == reflect.Struct && !config.IsScalar(fv.Type()) {
			w.comment(indent, text)
			fmt.Fprintf(w, "%s%s:\n", indent, f.Name)
			w.fields(indent+"  ", fv)
			continue
		}
		w.comment(indent, afterName(text))
		value, known := w.value(fv, f, text)
		if !known {
			fmt.Fprintf(w, "%s# %s: %s\n", indent, f.Name, value)
			continue
		}
		fmt.Fprintf(w, "%s%s: %s\n", indent, f.Name, value)
	}
}

// value is a key's default: what the structure holds, or what its comment says where the structure holds the zero value.
func (w *writer) value(v reflect.Value, f config.Field, comment string) (text string, known bool) {
	if f.Tag.Get("unlimited") != "" && !v.IsZero() {
		if fresh := reflect.New(v.Type()).Elem(); config.SetText(fresh, config.Unlimited, f.Tag) == nil && fresh.Equal(v) {
			return config.Unlimited, true
		}
	}
	if !v.IsZero() {
		for _, c := range candidates(comment) { // the comment may know a word for it, such as unlimited or 10/s
			fresh := reflect.New(v.Type()).Elem()
			if v.Kind() != reflect.Slice && config.SetText(fresh, c, f.Tag) == nil && fresh.Equal(v) {
				return c, true
			}
		}
		return config.Format(v), true
	}
	for _, c := range candidates(comment) {
		fresh := reflect.New(v.Type()).Elem()
		if config.SetText(fresh, c, f.Tag) == nil && !fresh.IsZero() {
			if _, worded := fresh.Addr().Interface().(encoding.TextUnmarshaler); worded && fresh.Kind() == reflect.Int {
				return c, true // 10/s, unlimited
			}
			return config.Format(fresh), true
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		return "false", true
	case reflect.Map:
		return "{}", true
	case reflect.Slice:
		return "[]", len(candidates(comment)) == 0
	case reflect.Struct: // a secret that is not there
		return `""`, true
	case reflect.String:
		return `""`, f.Tag.Get("enum") == ""
	case reflect.Pointer:
		return "", false
	}
	return config.Format(v), config.SetText(reflect.New(v.Type()).Elem(), config.Format(v), f.Tag) == nil
}

func (w *writer) listeners() {
	w.WriteString("\n# What is served. --listen URL replaces this list. A listener may repeat the keys of its protocol's section.\nlisteners:\n")
	for _, u := range config.DefaultListeners() {
		fmt.Fprintf(w, "  - url: %s\n", u)
	}
	w.elementKeys("    # ", reflect.TypeFor[config.Listener]())
}

// elementDefaults are the keys of a listener or a user as they would be written; the others show no value.
var elementDefaults = map[string]string{"rules": "[]", "export": "[]", "import": "[]", "anonymous": "true", "insecure": "false", "origins": "[]", "auth": "[]", "namespace": `""`, "headers": "{}", "mode": "0660", "group": `""`,
	"cert": "server.pem", "key": "server.key", "client_ca": `""`, "client_auth": "none", "min_version": "1.2", "crl": `""`, "from": "[]",
	"name": `""`, "role": "[]", "client_ids": "[]", "namespaces": "[]", "password": "none"}

// elementKeys writes the keys of an element of a list as comments, since none of them is set.
func (w *writer) elementKeys(indent string, t reflect.Type) {
	_, docs, err := comments(w.root, t)
	w.err = first(w.err, err)
	for _, f := range config.Fields(t) {
		if f.Name == "url" {
			continue
		}
		field := t.FieldByIndex(f.Index)
		w.comment(strings.TrimSuffix(indent, "# "), docs[field.Name])
		value, known := elementDefaults[f.Name]
		if known {
			value = " " + value
		}
		fmt.Fprintf(w, "%s%s:%s\n", indent, f.Name, value)
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if !known && inner.Kind() == reflect.Struct && !config.IsScalar(inner) {
			w.elementKeys(indent+"  ", inner)
		}
	}
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
