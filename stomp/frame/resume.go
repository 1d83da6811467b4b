package frame

import "bytes"

// resume goes on with a frame whose beginning is in p.buf. It copies from in
// only what belongs to that frame.
func (p *Parser) resume(in []byte, f *Frame) (used int, ok bool, err error) {
	for used < len(in) {
		n, done, perr := p.step(in[used:], f)
		if perr != nil {
			return used, false, p.fail(p.buf, perr)
		}
		used += n
		switch {
		case done && f.Command == Unknown:
			n, ok, err = p.Next(in[used:], f)
			return used + n, ok, err
		case done:
			return used, true, nil
		}
	}
	return used, false, nil
}

// step consumes one line or a piece of the body; done means that the buffer
// was given away, with the frame, or was nothing but an EOL.
func (p *Parser) step(in []byte, f *Frame) (n int, done bool, err *ParseError) {
	switch p.phase {
	case inHead:
		n = endOf(in, '\n')
		return p.stepLine(in[:n], f)
	case inSized:
		n = min(len(in), p.head+p.want+1-len(p.buf))
	case inUntilNUL:
		n = endOf(in, 0)
	}
	scanned := len(p.buf)
	p.buf = append(p.buf, in[:n]...)
	total, err := p.finish(p.buf, scanned)
	if err != nil || total == 0 {
		return n, false, err
	}
	return n, true, p.give(f)
}

// stepLine adds a piece of the head; piece ends at a LF or at the input's end.
func (p *Parser) stepLine(piece []byte, f *Frame) (int, bool, *ParseError) {
	p.buf = append(p.buf, piece...)
	n := len(p.buf)
	if piece[len(piece)-1] != '\n' {
		return len(piece), false, p.checkPartial(p.buf[p.line:], n)
	}
	line := p.buf[p.line : n-1]
	if p.lines == 0 && (len(line) == 0 || string(line) == "\r") {
		p.buf = nil // an EOL in two halves between frames
		f.reset()
		return len(piece), true, nil
	}
	f.reset()
	f.Command = p.command()
	end, err := p.takeLine(line, n, f)
	p.line = n
	if err != nil || !end {
		return len(piece), false, err
	}
	// The head is complete: parse it once more, now for its values.
	if err = p.parseHead(f); err == nil {
		err = p.startBody(n, f)
	}
	return len(piece), false, err
}

// command is that of the frame in p.buf, once its line is complete.
func (p *Parser) command() Command {
	if p.lines == 0 {
		return Unknown
	}
	return lookupCommand(bytes.TrimSuffix(p.buf[:bytes.IndexByte(p.buf, '\n')], []byte{'\r'}))
}

// parseHead fills f from the lines in p.buf, all of which were accepted.
func (p *Parser) parseHead(f *Frame) *ParseError {
	f.reset()
	p.lines = 0
	for at := 0; at < len(p.buf); {
		i := at + bytes.IndexByte(p.buf[at:], '\n')
		end, err := p.takeLine(p.buf[at:i], i+1, f)
		if err != nil || end {
			return err
		}
		at = i + 1
	}
	return nil
}

// give hands the complete frame in p.buf to f, with the memory.
func (p *Parser) give(f *Frame) *ParseError {
	buf := p.buf
	head, body := p.head, buf[p.head:len(buf)-1]
	p.buf = buf[:head]
	err := p.parseHead(f)
	if err == nil {
		if p.Version == VersionNone {
			f.trimOld()
		}
		err = p.setBody(f, body)
		f.owned = len(body) > cap(buf)/2 // else a copy wastes less than it pins
	}
	if err != nil {
		p.buf = buf // for the receipt
		return err
	}
	p.buf = nil
	return nil
}

// fail adds the receipt header of the broken frame to the error, so that its
// sender can tell which frame it was.
func (p *Parser) fail(data []byte, e *ParseError) *ParseError {
	out := *e
	var f Frame
	first := true
	for {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return &out
		}
		line := bytes.TrimSuffix(data[:i], []byte{'\r'})
		data = data[i+1:]
		if first {
			f.Command, first = lookupCommand(line), false
			continue
		}
		if len(line) == 0 || p.headerLine(line, &f) != nil {
			return &out
		}
		if r, ok := f.Get("receipt"); ok {
			out.Receipt = bytes.Clone(r)
			return &out
		}
	}
}

// endOf is the number of octets up to and including c, or all.
func endOf(in []byte, c byte) int {
	if i := bytes.IndexByte(in, c); i >= 0 {
		return i + 1
	}
	return len(in)
}
