package wire

import (
	"encoding/binary"
	"io"
	"strconv"
)

// ProtocolHeader is what a client opens with (specification 4.2.2).
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// Frame types (specification 4.2.3) and sizes.
const (
	FrameMethod    = 1
	FrameHeader    = 2
	FrameBody      = 3
	FrameHeartbeat = 8

	FrameEnd     = 0xCE
	FrameMinSize = 4096 // frame-max cannot be negotiated below
	HeadSize     = 7
	Overhead     = HeadSize + 1 // head and end octet: frame-max counts them
)

// HeartbeatFrame is the one legal heartbeat.
const HeartbeatFrame = "\x08\x00\x00\x00\x00\x00\x00\xce"

// Frame is one frame; Payload is a view of the input.
//
//	type:octet channel:short size:long payload[size] end:octet = CE
type Frame struct {
	Type    byte
	Channel uint16
	Payload []byte
}

// Scan reads the frame at the start of in and tells its whole length. max is
// the frame-max in force. The head is judged before the payload is waited for,
// so a wrong frame is refused after seven octets. It returns
// io.ErrUnexpectedEOF while the frame is incomplete, and *Error 501.
func Scan(in []byte, max uint32) (f Frame, n int, err error) {
	if len(in) < HeadSize {
		if len(in) > 0 && !knownType(in[0]) {
			return f, 0, frameError("unknown frame type " + strconv.Itoa(int(in[0])))
		}
		return f, 0, io.ErrUnexpectedEOF
	}
	f.Type, f.Channel = in[0], binary.BigEndian.Uint16(in[1:])
	size := binary.BigEndian.Uint32(in[3:])
	switch {
	case !knownType(f.Type):
		return f, 0, frameError("unknown frame type " + strconv.Itoa(int(f.Type)))
	case max < Overhead || size > max-Overhead:
		return f, 0, frameError("frame of " + strconv.FormatUint(uint64(size), 10) + " octets is above frame-max")
	case f.Type == FrameHeartbeat && (f.Channel != 0 || size != 0):
		return f, 0, frameError("heartbeat with a channel or a payload")
	}
	n = int(size) + Overhead
	if len(in) < n {
		return f, 0, io.ErrUnexpectedEOF
	}
	if in[n-1] != FrameEnd {
		return f, 0, frameError("frame end is not CE")
	}
	f.Payload = in[HeadSize : n-1 : n-1]
	return f, n, nil
}

func knownType(t byte) bool {
	return t == FrameMethod || t == FrameHeader || t == FrameBody || t == FrameHeartbeat
}

func frameError(text string) error { return &Error{Code: FrameError, Text: text} }

// beginFrame appends a head with an open size; endFrame closes it.
func beginFrame(dst []byte, typ byte, channel uint16) []byte {
	return append(dst, typ, byte(channel>>8), byte(channel), 0, 0, 0, 0)
}

func endFrame(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start+3:], uint32(len(dst)-start-HeadSize))
	return append(dst, FrameEnd)
}

// AppendBody appends body as body frames of at most max octets each, and
// nothing for an empty body (specification 4.2.6.2; AQ4). The caller bounds
// what it appends at a time.
func AppendBody(dst []byte, channel uint16, body []byte, max uint32) []byte {
	room := int(max) - Overhead
	for len(body) > 0 {
		n := min(len(body), room)
		start := len(dst)
		dst = append(beginFrame(dst, FrameBody, channel), body[:n]...)
		dst = endFrame(dst, start)
		body = body[n:]
	}
	return dst
}

// Count is the number of frames in b, which holds complete ones of ours only.
func Count(b []byte) (n uint64) {
	for len(b) >= Overhead {
		n++
		b = b[min(len(b), Overhead+int(binary.BigEndian.Uint32(b[3:]))):]
	}
	return n
}
