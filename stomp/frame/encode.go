package frame

import (
	"strconv"
	"unicode/utf8"
)

// AppendTo appends the frame as version v writes it. A body on a frame that
// may carry one gets a content-length of its own, after all other headers; a
// content-length among Headers is left out. Headers without a name are too.
func (f *Frame) AppendTo(dst []byte, v Version) []byte {
	if f.Command.plain() {
		v = VersionNone // ST4
	}
	dst = AppendCommand(dst, f.Command)
	for i := range f.Headers {
		h := &f.Headers[i]
		if len(h.Name) == 0 || string(h.Name) == "content-length" {
			continue
		}
		dst = AppendHeader(dst, v, h.Name, h.Value)
	}
	if !f.Command.HasBody() {
		return append(dst, '\n', 0)
	}
	return AppendBody(dst, f.Body)
}

// Len is the number of octets that AppendTo appends.
func (f *Frame) Len(v Version) int {
	if f.Command.plain() {
		v = VersionNone
	}
	n := len(f.Command.String()) + 1
	for i := range f.Headers {
		h := &f.Headers[i]
		if len(h.Name) == 0 || string(h.Name) == "content-length" {
			continue
		}
		n += HeaderLen(v, h.Name, h.Value)
	}
	if !f.Command.HasBody() {
		return n + 2
	}
	return n + BodyLen(len(f.Body))
}

// AppendCommand appends the first line of a frame.
func AppendCommand(dst []byte, c Command) []byte {
	dst = append(dst, c.String()...)
	return append(dst, '\n')
}

// AppendHeader appends one header line. The name must not be empty. Pass
// VersionNone for CONNECT and CONNECTED.
func AppendHeader[N, T ~string | ~[]byte](dst []byte, v Version, name N, value T) []byte {
	dst = appendText(dst, name, v, true)
	dst = append(dst, ':')
	dst = appendText(dst, value, v, false)
	return append(dst, '\n')
}

// Says tells whether version v can write a header as it is. Pass VersionNone
// for CONNECT and CONNECTED.
func Says[N, T ~string | ~[]byte](v Version, name N, value T) bool {
	return sayable(name, v, true) && sayable(value, v, false) && len(name) > 0
}

func sayable[T ~string | ~[]byte](s T, v Version, name bool) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == 0, c == '\n' && !v.escapes(), c == ':' && name && !v.escapes(), c == '\r' && v != V12:
			return false
		}
	}
	return utf8.ValidString(string(s))
}

// HeaderLen is the length of what AppendHeader appends.
func HeaderLen[N, T ~string | ~[]byte](v Version, name N, value T) int {
	return textLen(name, v) + textLen(value, v) + 2
}

// AppendBody ends a frame: content-length if the body is not empty, the blank
// line, the body and NUL, after which nothing follows (ST8, ST11).
func AppendBody(dst []byte, body []byte) []byte {
	dst = AppendContentLength(dst, len(body))
	dst = append(dst, '\n')
	dst = append(dst, body...)
	return append(dst, 0)
}

// AppendContentLength appends the header for a body of n octets; nothing for
// an empty one.
func AppendContentLength(dst []byte, n int) []byte {
	if n == 0 {
		return dst
	}
	dst = append(dst, "content-length:"...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\n')
}

// BodyLen is the length of what AppendBody appends for a body of n octets.
func BodyLen(n int) int {
	if n == 0 {
		return 2
	}
	digits := 1
	for m := n; m >= 10; m /= 10 {
		digits++
	}
	return len("content-length:") + digits + 1 + 1 + n + 1
}
