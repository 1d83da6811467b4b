package mqtt

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// A template is a topic or filter of the configuration with placeholders, each
// a whole level: {client}, {user}, and in the rules of rewrite {1}, {2} ... and
// {#}. It is taken apart once; what is filled in is never parsed again.
type template []piece

type pieceKind uint8

const (
	pieceLiteral pieceKind = iota
	pieceClient
	pieceUser
	pieceLevel // the level that a '+' took
	pieceRest  // the levels that '#' took, which may be none
)

type piece struct {
	kind  pieceKind
	text  string // of a literal
	level int    // of the topic, where the wildcard stands: pieceLevel, pieceRest
}

// who fills {client} and {user}.
type who struct{ client, user string }

// parseTemplate takes a template apart. from is the filter that its wildcards
// are those of; "" when there is none.
func parseTemplate(s, from string) (template, error) {
	levels := strings.Split(from, "/")
	var plus []int
	for i, level := range levels {
		if level == "+" {
			plus = append(plus, i)
		}
	}
	var t template
	for _, level := range strings.Split(s, "/") {
		inner, opened := strings.CutPrefix(level, "{")
		inner, closed := strings.CutSuffix(inner, "}")
		n, err := strconv.Atoi(inner)
		switch {
		case !strings.ContainsAny(level, "{}"):
			t = append(t, piece{kind: pieceLiteral, text: level})
		case !opened || !closed || strings.ContainsAny(inner, "{}"):
			return nil, fmt.Errorf("a placeholder is a whole level, which %q is not", level)
		case inner == "client":
			t = append(t, piece{kind: pieceClient})
		case inner == "user":
			t = append(t, piece{kind: pieceUser})
		case inner == "#" && levels[len(levels)-1] == "#":
			t = append(t, piece{kind: pieceRest, level: len(levels) - 1})
		case err == nil && n >= 1 && n <= len(plus) && inner == strconv.Itoa(n):
			t = append(t, piece{kind: pieceLevel, level: plus[n-1]})
		case from == "":
			return nil, fmt.Errorf("there is no placeholder %s, only {client} and {user}", level)
		case err == nil || inner == "#":
			return nil, fmt.Errorf("%s stands for a wildcard that %q does not have", level, from)
		default:
			return nil, fmt.Errorf("there is no placeholder %s, only {client}, {user}, {1} ... and {#}", level)
		}
	}
	return t, nil
}

// filter is what the results of the template match.
func (t template) filter() string {
	levels := make([]string, len(t))
	for i, p := range t {
		switch p.kind {
		case pieceLiteral:
			levels[i] = p.text
		case pieceRest:
			levels[i] = "#"
		default:
			levels[i] = "+"
		}
	}
	return strings.Join(levels, "/")
}

// sample is one result, to look whether its form is legal.
func (t template) sample() string {
	return strings.NewReplacer("+", "x", "#", "x").Replace(t.filter())
}

// append appends the result for a name. ok is false when a value cannot stand
// for a level: it is empty, would add levels or wildcards, or would begin a
// topic with '$' that the template does not.
func (t template) append(dst, name []byte, w who) (_ []byte, ok bool) {
	start, some := len(dst), false
	for i := range t {
		p := &t[i]
		var text string
		var taken []byte
		switch p.kind {
		case pieceLiteral:
			text = p.text
		case pieceClient:
			text = w.client
		case pieceUser:
			text = w.user
		case pieceLevel:
			taken, _ = levelAt(name, p.level)
		case pieceRest:
			_, taken = levelAt(name, p.level)
			if taken == nil {
				continue // "a/{#}" is "a" when '#' took nothing
			}
		}
		if (p.kind == pieceClient || p.kind == pieceUser) && (text == "" || strings.ContainsAny(text, "/+#")) {
			return dst, false
		}
		if some {
			dst = append(dst, '/')
		}
		dst = append(append(dst, text...), taken...)
		some = true
	}
	if dollar := len(dst) > start && dst[start] == '$'; dollar && t[0].kind != pieceLiteral {
		return dst[:start], false
	}
	return dst, true
}

// levelAt cuts a name: its i-th level, and all from there on; nil, nil when it
// has fewer.
func levelAt(name []byte, i int) (level, from []byte) {
	for ; i > 0; i-- {
		cut := bytes.IndexByte(name, '/')
		if cut < 0 {
			return nil, nil
		}
		name = name[cut+1:]
	}
	if cut := bytes.IndexByte(name, '/'); cut >= 0 {
		return name[:cut:cut], name
	}
	return name, name
}
