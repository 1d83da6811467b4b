package coap

import (
	"strings"

	"github.com/entrepot/entrepot/coap/message"
)

// hasWildcard reports whether a level of the topic is a wildcard.
func hasWildcard(segments message.Options) bool {
	for _, s := range segments {
		if v := s.Value; len(v) == 1 && (v[0] == '+' || v[0] == '#') {
			return true
		}
	}
	return false
}

// appendDecoded appends segment with its percent escapes resolved once more,
// as EMQX does; an escape that is none stays.
func appendDecoded(b, segment []byte) []byte {
	for i := 0; i < len(segment); i++ {
		if segment[i] == '%' && i+2 < len(segment) {
			hi, lo := unhex(segment[i+1]), unhex(segment[i+2])
			if hi < 16 && lo < 16 {
				b = append(b, hi<<4|lo)
				i += 2
				continue
			}
		}
		b = append(b, segment[i])
	}
	return b
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// appendEscaped appends a path segment as it stands in a URI reference
// (RFC 3986, section 3.3), without the characters that end a link's target.
func appendEscaped(b []byte, segment string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(segment) {
		c := segment[i]
		if isUnreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

func isUnreserved(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("-._~$!&'()*+=:@", c) >= 0
}
