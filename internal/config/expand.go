package config

import (
	"fmt"
	"strings"
)

// expand replaces ${NAME} and ${NAME:-default} in the scalars of the tree; $$ is a dollar sign.
// It runs after parsing, so that a value can never add a key.
func expand(root *node, environ []string) Problems {
	vars := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			vars[name] = value
		}
	}
	var problems Problems
	root.walk(func(n *node) {
		if !strings.Contains(n.text, "$") {
			return
		}
		text, fault := expandText(n.text, vars)
		if fault != "" {
			problems = append(problems, n.at.problem(CodeVariable, "", fault))
		}
		n.expanded, n.written = strings.Contains(n.text, "${"), n.text
		n.text = text
	})
	return problems
}

// walk calls f for every scalar.
func (n *node) walk(f func(*node)) {
	if n.kind == kindScalar {
		f(n)
	}
	for _, e := range n.keys {
		e.value.walk(f)
	}
	for _, i := range n.items {
		i.walk(f)
	}
}

// expandText expands one scalar. A dollar sign before anything but $ and { stays as it is: $SYS, $queue and hashes need no escape.
func expandText(s string, vars map[string]string) (text, fault string) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i == len(s)-1 {
			b.WriteString(s)
			return b.String(), fault
		}
		b.WriteString(s[:i])
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			s = s[i+2:]
		case '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return b.String(), `"${" without "}"; write $$ for a dollar sign`
			}
			name, fallback, has := strings.Cut(s[i+2:i+end], ":-")
			value, set := vars[name]
			switch {
			case set && (value != "" || !has):
				b.WriteString(value)
			case has:
				b.WriteString(fallback)
			default:
				fault = fmt.Sprintf("variable %s is not set and ${%s} gives no default; write ${%s:-default}", name, name, name)
			}
			s = s[i+end+1:]
		default:
			b.WriteByte('$')
			s = s[i+1:]
		}
	}
}
