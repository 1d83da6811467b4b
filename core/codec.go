package core

import (
	"encoding/binary"
	"errors"
	"math"
	"unsafe"
)

// The records of the store are written with the few primitives below:
// unsigned varints, length-prefixed strings, flag bytes.

var errRecord = errors.New("damaged record")

func floatBits(b uint64) float64 { return math.Float64frombits(b) }

func putUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func putText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func putBytes(b, s []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// reader takes a record apart; the first fault sticks.
type reader struct {
	b    []byte
	bad  bool
	ages *ages // nil: instants are read as they are

	lasts bool // b is never written to: what is read may share it
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uint()
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string {
	b := r.bytes()
	if r.lasts {
		return unsafe.String(unsafe.SliceData(b), len(b))
	}
	return string(b)
}

// data is bytes of its own, unless they last.
func (r *reader) data() []byte {
	b := r.bytes()
	if r.lasts {
		return b
	}
	return append([]byte(nil), b...)
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) bool() bool { return r.byte() != 0 }

// count reads the length of a list whose elements take at least one byte.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) err() error {
	if r.bad {
		return errRecord
	}
	return nil
}

const (
	flagRetain = 1 << iota
	flagMeta
	flagLoaded  // of packed ones alone: Message.loaded
	flagDeletes // Meta.Deletes
)

// appendMessage is the stored form of a message.
func appendMessage(b []byte, m *Message, x *ages) []byte {
	var flags byte
	if m.Retain {
		flags |= flagRetain
	}
	if m.Meta != nil {
		flags |= flagMeta
		if m.Meta.Deletes {
			flags |= flagDeletes
		}
	}
	b = append(b, flags, m.QoS)
	b = putText(b, m.Topic)
	b = putText(b, m.Origin)
	b = x.put(b, m.Expires, m.loaded)
	b = putUint(b, m.From)
	b = putUint(b, m.rev)
	b = putBytes(b, m.Payload)
	if m.Meta != nil {
		b = appendMeta(b, m.Meta)
	}
	return b
}

func appendMeta(b []byte, x *Meta) []byte {
	for _, s := range []string{x.ContentType, x.ContentEncoding, x.ReplyTo, string(x.Correlation), x.MessageID, x.Type, x.AppID, x.UserID, x.GroupID} {
		b = putText(b, s)
	}
	b = putBool(b, x.Text)
	b = putBool(b, x.Correlation != nil)
	b = putUint(b, uint64(x.GroupSeq))
	b = append(b, x.Priority)
	b = putBool(b, x.HasPriority)
	b = putUint(b, uint64(x.Created))
	b = putUint(b, uint64(len(x.Headers)))
	for i := range x.Headers {
		h := &x.Headers[i]
		b = append(b, byte(h.Kind))
		b = putText(b, h.Name)
		b = putText(b, h.Text)
		b = putUint(b, h.Bits)
	}
	b = putUint(b, uint64(len(x.Via)))
	for _, v := range x.Via {
		b = putText(b, v)
	}
	b = putBool(b, x.Native != nil)
	if x.Native != nil {
		b = putText(b, x.Native.Protocol)
		b = putBytes(b, x.Native.Data)
	}
	return b
}

func (r *reader) message() *Message {
	m := new(Message)
	r.messageTo(m)
	return m
}

func (r *reader) messageTo(m *Message) {
	flags := r.byte()
	m.Retain, m.QoS = flags&flagRetain != 0, r.byte()
	m.Topic = r.text()
	m.Origin = r.text()
	m.Expires, m.loaded = r.time()
	m.From = r.uint()
	m.rev = r.uint()
	m.Payload = r.data()
	if m.Meta = nil; flags&flagMeta != 0 {
		m.Meta = r.meta()
		m.Meta.Deletes = flags&flagDeletes != 0
	}
	if m.QoS > 2 {
		r.bad = true
	}
}

// messageSize reads over a message: what its Size and From are.
func (r *reader) messageSize() (size int, from uint64) {
	flags, qos := r.byte(), r.byte()
	n := len(r.bytes())
	r.bytes() // Origin
	r.uint()  // Expires
	from = r.uint()
	r.uint() // rev
	n += len(r.bytes())
	m := Message{}
	if flags&flagMeta != 0 {
		m.Meta = r.meta()
	}
	r.bad = r.bad || qos > 2
	return n + m.Size(), from
}

func (r *reader) meta() *Meta {
	x := &Meta{}
	var correlation string
	for _, s := range []*string{&x.ContentType, &x.ContentEncoding, &x.ReplyTo, &correlation, &x.MessageID, &x.Type, &x.AppID, &x.UserID, &x.GroupID} {
		*s = r.text()
	}
	x.Text = r.bool()
	if r.bool() {
		x.Correlation = []byte(correlation)
	}
	x.GroupSeq = uint32(r.uint())
	x.Priority = r.byte()
	x.HasPriority = r.bool()
	x.Created = Time(r.uint())
	for n := r.count(); n > 0 && !r.bad; n-- {
		x.Headers = append(x.Headers, Header{Kind: Kind(r.byte()), Name: r.text(), Text: r.text(), Bits: r.uint()})
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		x.Via = append(x.Via, r.text())
	}
	if r.bool() {
		x.Native = &Native{Protocol: r.text(), Data: r.data()}
	}
	return x
}
