package frame

import "bytes"

var (
	errFrameSize   = tooLarge("frame too large")
	errBodySize    = tooLarge("body too large")
	errCommandSize = tooLarge("command line too long")
	errLineSize    = tooLarge("header line too long")
	errHeaderCount = tooLarge("too many headers")
	errCR          = malformed("CR without LF in a command or header")
	errNUL         = malformed("NUL in a command or header")
	errNoColon     = malformed("header line without a colon")
	errNoName      = malformed("header without a name")
	errLength      = malformed("content-length is not a number")
	errNoNUL       = malformed("no NUL where content-length says that the body ends")
	errBody        = malformed("body on a frame that may not have one")
)

// maxLine is the limit of the line that is being read.
func (p *Parser) maxLine() (int, *ParseError) {
	if p.lines == 0 {
		return p.Limits.command(), errCommandSize
	}
	return p.Limits.line(), errLineSize
}

// checkPartial bounds a line whose end has not arrived; total counts the frame
// so far.
func (p *Parser) checkPartial(line []byte, total int) *ParseError {
	n := len(line)
	if n > 0 && line[n-1] == '\r' {
		n-- // may be the first half of EOL
	}
	if limit, err := p.maxLine(); n > limit {
		return err
	}
	if !p.Limits.fits(total) {
		return errFrameSize
	}
	if bytes.IndexByte(line[:n], 0) >= 0 {
		return errNUL // a frame without its blank line: the rest would be taken for it
	}
	return nil
}

// commandLine takes the first line, without EOL.
func (p *Parser) commandLine(line []byte, f *Frame) *ParseError {
	if f.Command = lookupCommand(line); f.Command != Unknown {
		return nil
	}
	if len(line) > p.Limits.command() {
		return errCommandSize
	}
	if err := checkText(line); err != nil {
		return err
	}
	return &ParseError{Kind: BadCommand, Reason: string(line)} // ST2
}

// headerLine takes a header line, without EOL.
func (p *Parser) headerLine(line []byte, f *Frame) *ParseError {
	if len(line) > p.Limits.line() {
		return errLineSize
	}
	if err := checkText(line); err != nil {
		return err
	}
	name, value, ok := cut(line)
	if !ok {
		return errNoColon // ST5
	}
	if len(name) == 0 {
		return errNoName
	}
	switch {
	case f.Command.plain(): // ST4
	case p.Version.escapes():
		var err *ParseError
		if name, err = f.unescape(name, p.Version); err != nil {
			return err
		}
		if value, err = f.unescape(value, p.Version); err != nil {
			return err
		}
	case p.Version == V10:
		value = bytes.TrimLeft(value, " \t") // ST3
	}
	f.add(name, value)
	return nil
}

func cut(line []byte) (name, value []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return nil, nil, false
	}
	return line[:i:i], line[i+1 : len(line) : len(line)], true
}

// checkText refuses what would make two readers see two different frames.
func checkText(line []byte) *ParseError {
	if bytes.IndexByte(line, '\r') >= 0 {
		return errCR // ST1
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return errNUL
	}
	return nil
}

// contentLength parses a decimal number up to limit (ST7).
func contentLength(v []byte, limit int) (int, *ParseError) {
	n := 0
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, errLength
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0, errBodySize
		}
	}
	if len(v) == 0 {
		return 0, errLength
	}
	return n, nil
}

// trimOld trims the values of a CONNECT that names no version, hence is 1.0;
// a newer client's values stay as sent.
func (f *Frame) trimOld() {
	if _, ok := f.Get("accept-version"); ok {
		return
	}
	for i := range f.Headers {
		f.Headers[i].Value = bytes.TrimLeft(f.Headers[i].Value, " \t")
	}
}
