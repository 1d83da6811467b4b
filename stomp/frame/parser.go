package frame

import "bytes"

// phase is what the parser expects next inside a frame that came in pieces.
type phase uint8

const (
	inHead     phase = iota // command and header lines
	inSized                 // a body of announced length
	inUntilNUL              // a body that ends at the first NUL
)

// Parser cuts a stream of octets into frames. Its zero value is ready for the
// first frame of a connection. It holds memory only while a frame is
// incomplete.
type Parser struct {
	Version Version // of the connection; set it when CONNECTED is sent
	Limits  Limits

	buf   []byte // the beginning of a frame whose end has not arrived
	phase phase
	lines int // complete lines in buf, the command included
	line  int // where the unfinished line begins in buf
	head  int // where the body begins in buf
	want  int // octets of the announced body
}

// Next takes octets from the front of in. It fills f and returns true with the
// number of octets used when a frame is complete; else it has used all of in
// and returns false. The frame borrows in until the next call. An error is a
// *ParseError and final: the stream must not be read on.
func (p *Parser) Next(in []byte, f *Frame) (used int, ok bool, err error) {
	if len(p.buf) != 0 {
		return p.resume(in, f)
	}
	start := skipEOL(in)
	in = in[start:]
	n, perr := p.whole(in, f)
	switch {
	case perr != nil:
		return start, false, p.fail(in, perr)
	case n > 0:
		return start + n, true, nil
	}
	p.buf = append([]byte(nil), in...)
	return start + len(in), false, nil
}

// Buffered is the number of octets held of an incomplete frame.
func (p *Parser) Buffered() int { return len(p.buf) }

// skipEOL counts the EOL and NUL octets between frames (ST1).
func skipEOL(in []byte) int {
	i := 0
	for i < len(in) {
		switch {
		case in[i] == '\n' || in[i] == 0:
			i++
		case in[i] == '\r' && i+1 < len(in) && in[i+1] == '\n':
			i += 2
		default:
			return i
		}
	}
	return i
}

// whole parses the frame at the front of in and returns its length, or 0 when
// it is incomplete, with the progress noted for resume.
func (p *Parser) whole(in []byte, f *Frame) (int, *ParseError) {
	if p.Version.escapes() {
		if n := p.fast(in, f); n > 0 {
			return n, nil
		}
	}
	f.reset()
	p.phase, p.lines, p.line = inHead, 0, 0
	for {
		i := bytes.IndexByte(in[p.line:], '\n')
		if i < 0 {
			return 0, p.checkPartial(in[p.line:], len(in))
		}
		end, err := p.takeLine(in[p.line:p.line+i], p.line+i+1, f)
		if err != nil {
			return 0, err
		}
		p.line += i + 1
		if end {
			break
		}
	}
	if err := p.startBody(p.line, f); err != nil {
		return 0, err
	}
	n, err := p.finish(in, p.head)
	if err != nil || n == 0 {
		return 0, err
	}
	return n, p.setBody(f, in[p.head:n-1])
}

// takeLine handles one line without its LF; total counts the frame so far.
// True means that it was the blank line.
func (p *Parser) takeLine(line []byte, total int, f *Frame) (bool, *ParseError) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if !p.Limits.fits(total) {
		return false, errFrameSize
	}
	if p.lines == 0 {
		p.lines++
		return false, p.commandLine(line, f)
	}
	if len(line) == 0 {
		return true, nil
	}
	if p.lines++; p.lines-1 > p.Limits.headers() {
		return false, errHeaderCount
	}
	return false, p.headerLine(line, f)
}

// startBody is called when the head is parsed into f.
func (p *Parser) startBody(at int, f *Frame) *ParseError {
	p.head, p.phase = at, inUntilNUL
	if p.Version == VersionNone {
		f.trimOld()
	}
	v, ok := f.Get("content-length")
	if !ok {
		return nil
	}
	n, err := contentLength(v, p.Limits.body())
	if err != nil {
		return err
	}
	if !p.Limits.fits(at + n) {
		return errFrameSize
	}
	p.phase, p.want = inSized, n
	return nil
}

// finish looks for the end of the body, from octet scanned of data on, and
// returns the length of the frame, or 0 when its end is not there.
func (p *Parser) finish(data []byte, scanned int) (int, *ParseError) {
	var end int
	if p.phase == inSized {
		if end = p.head + p.want; end >= len(data) {
			return 0, nil
		}
		if data[end] != 0 {
			return 0, errNoNUL // ST7
		}
	} else {
		i := bytes.IndexByte(data[scanned:], 0)
		if i < 0 {
			return 0, p.checkBody(len(data))
		}
		end = scanned + i
		if err := p.checkBody(end); err != nil {
			return 0, err
		}
	}
	return end + 1, nil
}

// checkBody bounds a body without content-length that reaches to octet end.
func (p *Parser) checkBody(end int) *ParseError {
	if end-p.head > p.Limits.body() {
		return errBodySize
	}
	if !p.Limits.fits(end) {
		return errFrameSize
	}
	return nil
}

// setBody applies ST8: a frame that has no body may be followed by EOLs, and
// in 1.0 by anything.
func (p *Parser) setBody(f *Frame, body []byte) *ParseError {
	if f.Command.HasBody() {
		f.Body = body
		return nil
	}
	if p.Version.escapes() && len(bytes.Trim(body, "\r\n")) != 0 {
		return errBody
	}
	return nil
}
