package wire

import "encoding/binary"

// AppendDeliver appends a basic.deliver frame whose exchange and routing key
// stand in place as on the wire: two shortstr.
func AppendDeliver(dst []byte, channel uint16, consumerTag string, tag uint64, redelivered bool, place []byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(beginFrame(dst, FrameMethod, channel), uint32(IDBasicDeliver))
	dst = append(append(dst, byte(len(consumerTag))), consumerTag...)
	dst = append(appendTag(dst, tag, redelivered), place...)
	return endFrame(dst, start)
}

// AppendGetOk appends a basic.get-ok frame in the same way. left is the
// number of messages that remain.
func AppendGetOk(dst []byte, channel uint16, tag uint64, redelivered bool, place []byte, left uint32) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(beginFrame(dst, FrameMethod, channel), uint32(IDBasicGetOk))
	dst = append(appendTag(dst, tag, redelivered), place...)
	return endFrame(binary.BigEndian.AppendUint32(dst, left), start)
}

func appendTag(dst []byte, tag uint64, redelivered bool) []byte {
	dst = binary.BigEndian.AppendUint64(dst, tag)
	if redelivered {
		return append(dst, 1)
	}
	return append(dst, 0)
}
