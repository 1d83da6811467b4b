package listen

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// closeFault is a Close frame that breaks RFC 6455 in a way of which the library
// tells nothing, or something else. Its value is the code to close with.
type closeFault int

func (closeFault) Error() string { return "malformed Close frame" }

// closeWatch follows the frames of a client as far as their headers tell, looks
// at what the Close frame carries, and ends the stream before it if that is
// malformed. What else is wrong with frames is left to the library.
//
//	 0                   1                   2                   3
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	|F|R|R|R| opcode|M| length (7)  | extended length (16 or 64)    |
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	| masking key (32)              | payload                       |
//	+-------------------------------+-------------------------------+
//
// RFC 6455, section 5.2. Owned by the reader.
type closeWatch struct {
	on     bool
	have   uint8    // octets of header
	header [14]byte // of the frame that is being read
	left   uint64   // octets of its payload that are to come
	close  []byte   // the payload of a Close frame; nil: it is another
	fault  closeFault
}

// look returns how many octets of b, which follow those before, may be passed
// on. When there are none of them, fault is set.
func (w *closeWatch) look(b []byte) int {
	begin := 0 // of the frame, if it is a Close
	for i := 0; i < len(b) && w.on; {
		if w.left == 0 { // in a header
			if w.have == 0 {
				begin = i
			}
			w.header[w.have] = b[i]
			w.have++
			i++
			w.begin()
			continue
		}
		n := int(min(w.left, uint64(len(b)-i)))
		if w.close != nil {
			w.close = append(w.close, b[i:i+n]...)
		}
		i += n
		if w.left -= uint64(n); w.left == 0 {
			if w.ended(); w.fault != 0 {
				return begin
			}
		}
	}
	return len(b)
}

const (
	finalClose = 0x80 | websocket.CloseMessage
	maskBit    = 0x80
	maskBytes  = 4
)

// begin is called with each octet of a header.
func (w *closeWatch) begin() {
	if w.have < 2 {
		return
	}
	h := &w.header
	length, size := uint64(h[1]&^maskBit), 2
	switch length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if size += maskBytes; int(w.have) < size {
		w.on = h[1]&maskBit != 0 // one without a mask is refused
		return
	}
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		length = binary.BigEndian.Uint64(h[2:])
	}
	w.have, w.left = 0, length
	switch {
	case h[0]&0x0f != websocket.CloseMessage:
	case h[0] != finalClose || size != 2+maskBytes || length == 0:
		w.on = false // refused, or the end
	default:
		w.close = make([]byte, 0, length)
	}
}

// ended looks at the payload of a Close frame: nothing, or a code of two octets
// and a reason in UTF-8 (RFC 6455, section 5.5.1). The codes are the library's
// affair.
func (w *closeWatch) ended() {
	if w.close == nil {
		return
	}
	key := w.header[2 : 2+maskBytes]
	for i := range w.close {
		w.close[i] ^= key[i%maskBytes]
	}
	w.on = false
	switch {
	case len(w.close) < 2:
		w.fault = websocket.CloseProtocolError // section 7.4.1: 1002
	case !utf8.Valid(w.close[2:]):
		w.fault = websocket.CloseInvalidFramePayloadData // section 7.4.1: 1007
	}
}
