package wire

import "encoding/binary"

// Deliveries appends deliveries that differ in nothing but tag and body: what
// AppendDeliver, Header.AppendFrame and AppendBody append, from a copy of what
// they share.
//
//	frame 1: class:short method:short consumer-tag:shortstr TAG:longlong redelivered:octet place
//	frame 2: class:short weight:short SIZE:longlong properties
//	frame 3: body
type Deliveries struct {
	shared []byte // both first frames and the head of the third
	tag    int    // where each stands
	size   int
	ends   int // the end of the second frame
}

// Begin sets what they share; none was delivered before. It keeps nothing of
// its arguments.
func (x *Deliveries) Begin(channel uint16, consumerTag string, place, properties []byte) {
	b := AppendDeliver(x.shared[:0], channel, consumerTag, 0, false, place)
	x.tag = HeadSize + len("ccmmn") + len(consumerTag)
	x.size = len(b) + HeadSize + len("ccww")
	h := Header{Class: IDBasicPublish.Class(), Properties: properties}
	b = h.AppendFrame(b, channel)
	x.ends = len(b)
	x.shared = beginFrame(b, FrameBody, channel)
}

// Len is how many octets Append appends for a body of n octets, at most.
func (x *Deliveries) Len(n int) int { return len(x.shared) + n + 1 }

// Frames is how many frames they are.
func (x *Deliveries) Frames(body []byte) int {
	if len(body) == 0 {
		return 2
	}
	return 3
}

// Append appends a delivery whose body fits into one frame.
func (x *Deliveries) Append(dst []byte, tag uint64, body []byte) []byte {
	start, shared := len(dst), x.shared
	if len(body) == 0 {
		shared = shared[:x.ends]
	}
	dst = append(dst, shared...)
	binary.BigEndian.PutUint64(dst[start+x.tag:], tag)
	if len(body) == 0 {
		return dst
	}
	binary.BigEndian.PutUint64(dst[start+x.size:], uint64(len(body)))
	binary.BigEndian.PutUint32(dst[start+x.ends+3:], uint32(len(body)))
	return append(append(dst, body...), FrameEnd)
}
