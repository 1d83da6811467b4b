package frame

import "bytes"

// fast parses the common frame of 1.1 and 1.2: complete, lines that end in LF,
// nothing escaped. For anything else, errors included, it returns 0 and whole
// decides. It looks for the rare octets once a head, not once a line.
func (p *Parser) fast(in []byte, f *Frame) int {
	f.reset()
	at := bytes.IndexByte(in, '\n') + 1
	if at == 0 {
		return 0
	}
	if f.Command = lookupCommand(in[:at-1]); f.Command == Unknown {
		return 0
	}
	maxLine, lines := p.Limits.line(), p.Limits.headers()
	for ; ; lines-- {
		n := bytes.IndexByte(in[at:], '\n')
		if n == 0 {
			break
		}
		if n < 0 || n > maxLine || lines == 0 {
			return 0
		}
		line := in[at : at+n : at+n]
		at += n + 1
		i := bytes.IndexByte(line, ':')
		if i <= 0 {
			return 0
		}
		f.add(line[:i:i], line[i+1:])
	}
	head := in[:at]
	if bytes.IndexByte(head, '\\') >= 0 || bytes.IndexByte(head, '\r') >= 0 || bytes.IndexByte(head, 0) >= 0 {
		return 0
	}
	if !p.Limits.fits(at+1) || p.startBody(at+1, f) != nil {
		return 0
	}
	n, err := p.finish(in, p.head)
	if err != nil || n == 0 || p.setBody(f, in[p.head:n-1]) != nil {
		return 0
	}
	return n
}
