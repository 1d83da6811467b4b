package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

// ID names a method: class in the high half, method in the low.
type ID uint32

// Class is the class-id of the method.
func (id ID) Class() uint16 { return uint16(id >> 16) }

// Method is the method-id within the class.
func (id ID) Method() uint16 { return uint16(id) }

// String is the specification's name, or "class.method" in numbers.
func (id ID) String() string {
	if s, ok := specs[id]; ok {
		return s.name
	}
	return fmt.Sprintf("%d.%d", id.Class(), id.Method())
}

// Content reports whether a content header follows the method.
func (id ID) Content() bool {
	return id == IDBasicPublish || id == IDBasicReturn || id == IDBasicDeliver || id == IDBasicGetOk
}

// Method is one method with its arguments. Fields of type []byte and Table are
// views of the input when parsed.
type Method interface {
	ID() ID
	args(a *args)
}

// spec is one row of the method table.
type spec struct {
	name string
	new  func() Method
}

// PeekID reads the class and method that a method payload starts with.
func PeekID(payload []byte) (ID, error) {
	if len(payload) < 4 {
		return 0, io.ErrUnexpectedEOF
	}
	return ID(binary.BigEndian.Uint32(payload)), nil
}

// ParseMethod reads the payload of a method frame into a new method. Errors:
// io.ErrUnexpectedEOF, *Error 502, and *Error 540 for a method that is none.
func ParseMethod(payload []byte) (Method, error) {
	id, err := PeekID(payload)
	if err != nil {
		return nil, err
	}
	s, ok := specs[id]
	if !ok {
		text := "unknown method " + strconv.Itoa(int(id.Class())) + "." + strconv.Itoa(int(id.Method()))
		return nil, &Error{Code: NotImplemented, Text: text, ID: id}
	}
	m := s.new()
	a := reader(payload[4:])
	m.args(&a)
	return m, a.end()
}

// AppendMethod appends m as a method payload, without a frame.
func AppendMethod(dst []byte, m Method) []byte {
	a := writer(binary.BigEndian.AppendUint32(dst, uint32(m.ID())))
	m.args(&a)
	return a.buf
}

// AppendMethodFrame appends m as a whole frame.
func AppendMethodFrame(dst []byte, channel uint16, m Method) []byte {
	start := len(dst)
	return endFrame(AppendMethod(beginFrame(dst, FrameMethod, channel), m), start)
}

// Parse reads a basic.publish payload without allocating.
func (m *BasicPublish) Parse(payload []byte) error {
	a := reader(payload[min(4, len(payload)):])
	m.args(&a)
	return a.end()
}

// Parse reads a basic.ack payload without allocating.
func (m *BasicAck) Parse(payload []byte) error {
	a := reader(payload[min(4, len(payload)):])
	m.args(&a)
	return a.end()
}

// AppendFrame appends a basic.ack frame without allocating.
func (m *BasicAck) AppendFrame(dst []byte, channel uint16) []byte {
	start := len(dst)
	a := writer(binary.BigEndian.AppendUint32(beginFrame(dst, FrameMethod, channel), uint32(IDBasicAck)))
	m.args(&a)
	return endFrame(a.buf, start)
}
