package wire

import "encoding/binary"

// Header is the payload of a content header frame (specification 4.2.6.1).
// Properties stays as its octets, flags included: a message that goes from
// AMQP to AMQP keeps them.
//
//	class:short weight:short(=0) body-size:longlong flags:short properties
type Header struct {
	Class      uint16
	BodySize   uint64
	Properties []byte // flags and values; a view
}

// Parse reads a header payload; it does not look into the properties.
func (h *Header) Parse(payload []byte) error {
	var weight uint16
	a := reader(payload)
	a.short(&h.Class)
	a.short(&weight)
	a.longlong(&h.BodySize)
	if a.err == nil && len(a.buf) < 2 {
		a.next(2)
	}
	h.Properties = a.buf
	return a.err
}

// AppendFrame appends h as a frame. Empty Properties stand for none set.
func (h *Header) AppendFrame(dst []byte, channel uint16) []byte {
	start := len(dst)
	dst = beginFrame(dst, FrameHeader, channel)
	dst = binary.BigEndian.AppendUint16(dst, h.Class)
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, h.BodySize)
	if len(h.Properties) == 0 {
		dst = append(dst, 0, 0)
	}
	dst = append(dst, h.Properties...)
	return endFrame(dst, start)
}
