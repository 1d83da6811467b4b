package frame

import "bytes"

var errEscape = malformed("undefined escape in a header")

// unescape decodes header text of 1.1 and 1.2 (ST3). It returns b itself when
// nothing is escaped, else memory of the frame.
func (f *Frame) unescape(b []byte, v Version) ([]byte, *ParseError) {
	i := bytes.IndexByte(b, '\\')
	if i < 0 {
		return b, nil
	}
	start := len(f.scratch)
	for {
		f.scratch = append(f.scratch, b[:i]...)
		if i+1 == len(b) {
			return nil, errEscape
		}
		c, ok := decodeEscape(b[i+1], v)
		if !ok {
			return nil, errEscape
		}
		f.scratch = append(f.scratch, c)
		b = b[i+2:]
		if i = bytes.IndexByte(b, '\\'); i < 0 {
			f.scratch = append(f.scratch, b...)
			return f.scratch[start:len(f.scratch):len(f.scratch)], nil
		}
	}
}

func decodeEscape(c byte, v Version) (byte, bool) {
	switch {
	case c == 'n':
		return '\n', true
	case c == 'c':
		return ':', true
	case c == '\\':
		return '\\', true
	case c == 'r' && v == V12:
		return '\r', true
	}
	return 0, false
}

// special marks the octets that some version cannot write as they are.
var special = [256]bool{'\r': true, '\n': true, ':': true, '\\': true, 0: true}

// appendText appends a header name or value as version v writes it. What a
// version cannot express becomes a space, so that no value starts a header
// line of its own (ST11).
func appendText[T ~string | ~[]byte](dst []byte, s T, v Version, name bool) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; special[c] {
			dst = append(dst, s[from:i]...)
			dst = appendSpecial(dst, c, v, name)
			from = i + 1
		}
	}
	return append(dst, s[from:]...)
}

func appendSpecial(dst []byte, c byte, v Version, name bool) []byte {
	switch {
	case c == '\n' && v.escapes():
		return append(dst, '\\', 'n')
	case c == ':' && v.escapes():
		return append(dst, '\\', 'c')
	case c == '\\' && v.escapes():
		return append(dst, '\\', '\\')
	case c == '\r' && v == V12:
		return append(dst, '\\', 'r')
	case c == '\\', c == ':' && !name:
		return append(dst, c)
	}
	return append(dst, ' ')
}

// textLen is the length of what appendText appends.
func textLen[T ~string | ~[]byte](s T, v Version) int {
	n := len(s)
	if !v.escapes() {
		return n
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\n', ':', '\\':
			n++
		case '\r':
			if v == V12 {
				n++
			}
		}
	}
	return n
}
