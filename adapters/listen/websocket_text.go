package listen

import "unicode/utf8"

// textCheck tells whether the parts of a text message are UTF-8 together (RFC
// 6455, sections 5.6 and 8.1). The zero value is ready for the first part.
type textCheck struct {
	open [utf8.UTFMax]byte // of a character that a part has cut
	n    int               // octets of it; fewer than four
}

// part takes the next part.
func (c *textCheck) part(b []byte) bool {
	for c.n > 0 && len(b) > 0 {
		c.open[c.n] = b[0]
		c.n++
		b = b[1:]
		if !utf8.FullRune(c.open[:c.n]) {
			continue
		}
		if !utf8.Valid(c.open[:c.n]) {
			return false
		}
		c.n = 0
	}
	whole := len(b)
	for i := max(0, len(b)-utf8.UTFMax+1); i < len(b); i++ {
		if utf8.RuneStart(b[i]) && !utf8.FullRune(b[i:]) {
			whole = i
			break
		}
	}
	if whole < len(b) {
		c.n = copy(c.open[:], b[whole:])
	}
	return utf8.Valid(b[:whole])
}

// end is called at the end of a message.
func (c *textCheck) end() bool { return c.n == 0 }
