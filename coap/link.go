package coap

import (
	"strings"

	"github.com/entrepot/entrepot/coap/message"
)

// link is one link of the link format (RFC 6690, section 2):
//
//	<target>;rt="a b";ct=40
type link struct {
	target string // a URI reference, percent-encoded
	attrs  []attr
}

// attr is a target attribute. A value of several members is separated by
// spaces.
type attr struct{ name, value string }

// appendTo appends the link. Values are quoted, except numbers.
func (l *link) appendTo(b []byte) []byte {
	b = append(b, '<')
	b = append(b, l.target...)
	b = append(b, '>')
	for _, a := range l.attrs {
		b = append(append(b, ';'), a.name...)
		if a.value == "" {
			continue
		}
		b = append(b, '=')
		if isNumber(a.value) {
			b = append(b, a.value...)
		} else {
			b = appendQuoted(b, a.value)
		}
	}
	return b
}

func isNumber(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// selects reports whether the link matches a filter name=value (RFC 6690,
// section 4.1): href is the target, any other name an attribute, of which one
// member must match; a trailing '*' makes a prefix of the value.
func (l *link) selects(name, value string) bool {
	want, prefix := strings.CutSuffix(value, "*")
	is := func(s string) bool {
		return s == want || prefix && strings.HasPrefix(s, want)
	}
	if name == "href" {
		return is(l.target)
	}
	for _, a := range l.attrs {
		if a.name != name {
			continue
		}
		if is(a.value) {
			return true
		}
		for m := range strings.FieldsSeq(a.value) {
			if is(m) {
				return true
			}
		}
	}
	return false
}

// filters are the Uri-Query options of a discovery; a link has to match all.
type filters message.Options

func (f filters) match(l *link) bool {
	for _, o := range f {
		name, value, ok := strings.Cut(string(o.Value), "=")
		if ok && !l.selects(name, value) {
			return false
		}
	}
	return true
}

// appendLinks appends those links that f selects, separated by commas.
func appendLinks(b []byte, links []link, f filters) []byte {
	first := len(b) == 0
	for i := range links {
		if !f.match(&links[i]) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = links[i].appendTo(b)
	}
	return b
}
