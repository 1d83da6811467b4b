package topic

import (
	"errors"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// What can be wrong with a name or a filter.
var (
	ErrEmpty         = errors.New("topic: empty")
	ErrTooLong       = errors.New("topic: too long")
	ErrTooManyLevels = errors.New("topic: too many levels")
	ErrNUL           = errors.New("topic: contains the null character")
	ErrControl       = errors.New("topic: contains a control character")
	ErrUTF8          = errors.New("topic: not valid UTF-8")
	ErrWildcard      = errors.New("topic: a wildcard where none may stand")
	ErrManyHashes    = errors.New("topic: more than four multi-level wildcards")
	ErrShare         = errors.New("topic: not of the form $share/group/filter")
)

// Limits bounds a name or filter. The zero value means the defaults.
type Limits struct {
	Bytes  int // length in bytes; 0 means 65,535, the most MQTT can carry
	Levels int // number of levels; 0 means 128
}

func (l Limits) bytes() int {
	if l.Bytes == 0 {
		return 65535
	}
	return l.Bytes
}

func (l Limits) levels() int {
	if l.Levels == 0 {
		return 128
	}
	return l.Levels
}

// CheckName says whether name is a legal topic to publish to: not empty
// [MQTT-4.7.3-1], within the limits, UTF-8 without NUL [MQTT-4.7.3-2], control
// characters or wildcards [MQTT-3.3.2-2]. It returns one of the errors above.
func CheckName[S ~string | ~[]byte](name S, l Limits) error {
	s := view(name)
	if err := checkText(s, l); err != nil {
		return err
	}
	if strings.IndexByte(s, '+') >= 0 || strings.IndexByte(s, '#') >= 0 {
		return ErrWildcard
	}
	return nil
}

// view reads S as a string without a copy, for the length of a call.
func view[S ~string | ~[]byte](s S) string {
	if len(s) == 0 {
		return ""
	}
	b := *(*unsafe.Pointer)(unsafe.Pointer(&s)) // both kinds begin with the data pointer
	return unsafe.String((*byte)(b), len(s))
}

// checkText checks what names and filters have in common.
func checkText(s string, l Limits) error {
	if s == "" {
		return ErrEmpty // [MQTT-4.7.3-1] [3: MQTT-4.7.3-1]
	}
	if len(s) > l.bytes() {
		return ErrTooLong // [MQTT-4.7.3-3] [3: MQTT-4.7.3-3]
	}
	n, ascii := 1, true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '/':
			n++
		case c >= 0x80:
			ascii = false
		case c == 0:
			return ErrNUL // [MQTT-4.7.3-2]
		case c < 0x20 || c == 0x7F:
			return ErrControl
		}
	}
	if !ascii {
		if err := checkWide(s); err != nil {
			return err
		}
	}
	if n > l.levels() {
		return ErrTooManyLevels
	}
	return nil
}

// checkWide checks text with characters beyond ASCII: well-formed [MQTT-1.5.4-1]
// and without the controls U+0080 to U+009F.
func checkWide(s string) error {
	if !utf8.ValidString(s) {
		return ErrUTF8
	}
	for i := 0; i+1 < len(s); i++ {
		if s[i] == 0xC2 && s[i+1] < 0xA0 { // the two bytes of U+0080 to U+009F
			return ErrControl
		}
	}
	return nil
}
