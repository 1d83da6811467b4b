package frame

import "bytes"

// Header is one header line, unescaped.
type Header struct{ Name, Value []byte }

// Frame is one STOMP frame. A frame that a Parser filled borrows the parser's
// input; a frame may be filled again and again, which reuses its memory.
type Frame struct {
	Command Command
	Headers []Header // in order; a repeated name is kept once, the first
	Body    []byte

	seen    uint64 // one bit per hash of a header name, to find repetitions
	scratch []byte // unescaped header text
	owned   bool   // Body is in memory that nobody else uses
}

// reset empties the frame and keeps its memory.
func (f *Frame) reset() {
	f.Command, f.Headers, f.Body = Unknown, f.Headers[:0], nil
	f.seen, f.scratch, f.owned = 0, f.scratch[:0], false
}

// Get returns the value of the header called name.
func (f *Frame) Get(name string) (value []byte, ok bool) {
	for i := range f.Headers {
		if string(f.Headers[i].Name) == name {
			return f.Headers[i].Value, true
		}
	}
	return nil, false
}

// Add appends a header; it is for building frames to send.
func (f *Frame) Add(name, value string) {
	f.Headers = append(f.Headers, Header{[]byte(name), []byte(value)})
}

// KeepBody returns the body in memory that outlives the parser's next call:
// without a copy if the frame was gathered from pieces, else a copy.
func (f *Frame) KeepBody() []byte {
	if len(f.Body) == 0 {
		return nil
	}
	if f.owned {
		return f.Body
	}
	return bytes.Clone(f.Body)
}

// add keeps a parsed header unless the name was there before: "only the first
// header entry SHOULD be used" (STOMP 1.2, "Repeated Header Entries", ST6).
func (f *Frame) add(name, value []byte) {
	n := len(name)
	bit := uint64(1) << ((uint(n) + uint(name[0])*7 + uint(name[n-1])*13 + uint(name[n/2])*29) & 63)
	if f.seen&bit != 0 {
		if _, ok := f.Get(string(name)); ok {
			return
		}
	}
	f.seen |= bit
	f.Headers = append(f.Headers, Header{name, value})
}

// Owned tells that KeepBody needs no copy.
func (f *Frame) Owned() bool { return f.owned && len(f.Body) > 0 }
