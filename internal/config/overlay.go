package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	fromEnvironment = "environment"
	fromSet         = "--set"
	fromListen      = "--listen"
	envPrefix       = "ENTREPOT_"
)

// overlaySet merges the pairs of --set into the tree.
func overlaySet(root *node, pairs []string) (problems Problems) {
	for _, pair := range pairs {
		at := origin{file: fromSet, text: pair}
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			problems = append(problems, at.problem(CodeSyntax, "", "write key=value, for example --set limits.connections=100"))
			continue
		}
		if !root.put(splitKey(key), flow(value, at)) {
			problems = append(problems, at.problem(CodeType, key, fmt.Sprintf("key %q leads through a value that has no keys", key)))
		}
	}
	return problems
}

// splitKey takes limits.connections and listeners[0].url apart.
func splitKey(key string) []string {
	key = strings.NewReplacer("[", ".", "]", "").Replace(key)
	return strings.Split(key, ".")
}

// overlayListen replaces the listeners by those of --listen.
func overlayListen(root *node, urls []string) {
	if len(urls) == 0 {
		return
	}
	list := &node{kind: kindList, at: origin{file: fromListen}}
	for _, u := range urls {
		at := origin{file: fromListen, text: u}
		m := newMap(at)
		m.set("url", newScalar(u, at))
		list.items = append(list.items, m)
	}
	root.set("listeners", list)
}

// overlayEnviron merges ENTREPOT_SECTION__KEY variables into the tree. Names without two underscores are not ours:
// Kubernetes gives every container ENTREPOT_PORT and the like.
func overlayEnviron(root *node, environ []string, s schema) (problems Problems) {
	vars := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if rest, ok := strings.CutPrefix(name, envPrefix); ok && strings.Contains(rest, "__") {
			vars[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		at := origin{file: fromEnvironment, text: name}
		path := strings.Split(strings.ToLower(strings.TrimPrefix(name, envPrefix)), "__")
		if !slices.Contains(s.sectionNames(), path[0]) {
			p := at.problem(CodeUnknown, "", fmt.Sprintf("no section %q", path[0]))
			p.Hint = didYouMean(path[0], s.sectionNames())
			problems = append(problems, p)
			continue
		}
		if !root.put(path, flow(vars[name], at)) {
			problems = append(problems, at.problem(CodeType, "", "the name leads through a value that has no keys"))
		}
	}
	return problems
}

// flow reads a value from a flag or a variable: a scalar, or a list or map in YAML's flow style.
func flow(value string, at origin) *node {
	trimmed := strings.TrimSpace(value)
	if strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "{") {
		if n, problems := parse(at.file, []byte("v: "+trimmed)); len(problems) == 0 {
			if v := n.child("v"); v != nil {
				v.relocate(at)
				return v
			}
		}
	}
	return newScalar(value, at)
}

// relocate makes a flag or variable the origin of a whole value.
func (n *node) relocate(at origin) {
	n.at = at
	for _, e := range n.keys {
		e.at = at
		e.value.relocate(at)
	}
	for _, i := range n.items {
		i.relocate(at)
	}
}

// problem makes a problem at this place.
func (o origin) problem(code, path, message string) Problem {
	return Problem{Code: code, File: o.file, Line: o.line, Column: o.column, Path: path, Message: message, arg: o.text}
}
