package core

import (
	"encoding/binary"
	"strings"
	"unsafe"
)

// packed is a retained message as memory keeps it: how long what follows is,
// then its record in the store with its instant as it is, and its owner in it. A
// million of them are a million pointers to pieces without pointers. The zero
// value is none.
type packed struct{ at *byte }

// packedText is what packed points to, without the length.
type packedText string

const (
	packRoom  = 512 // bytes that are put together before they are given room
	packAlias = 256 // a topic keeps no larger payload alive
)

// pack takes a copy of a message, whose retained form counts for owner, "" for
// nobody.
func pack(m *Message, owner string) packed {
	var small [packRoom]byte
	b := small[:0]
	if len(m.Payload) > packRoom/2 {
		b = make([]byte, 0, m.Size())
	}
	b = appendMessage(b, m, nil)
	if m.loaded {
		b[0] |= flagLoaded
	}
	return packText(putText(b, owner))
}

// packText takes a copy of a record.
func packText(record []byte) packed {
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(record)))
	b := make([]byte, n+len(record))
	copy(b[copy(b, length[:n]):], record)
	return packed{unsafe.SliceData(b)}
}

// text is that of p, whose owner shares its memory.
func (p packed) text() packedText {
	if n := *p.at; n < 0x80 {
		return packedText(unsafe.String((*byte)(unsafe.Add(unsafe.Pointer(p.at), 1)), int(n)))
	}
	return p.long()
}

// long is text where the length takes more than a byte.
func (p packed) long() packedText {
	n, at := uint64(*p.at&0x7f), 1
	for shift := 7; ; shift += 7 {
		b := *(*byte)(unsafe.Add(unsafe.Pointer(p.at), at))
		n |= uint64(b&0x7f) << shift
		if at++; b < 0x80 {
			return packedText(unsafe.String((*byte)(unsafe.Add(unsafe.Pointer(p.at), at)), int(n)))
		}
	}
}

// Key is the topic, whose owner shares p's memory.
func (p packed) Key() string {
	name, _ := p.text().text(2)
	return name
}

// bytes are those of p, not to be written to.
func (p packedText) bytes() []byte { return unsafe.Slice(unsafe.StringData(string(p)), len(p)) }

// unpack makes m the message, which is nothing yet or was unpacked before. It
// shares p's memory, as its owner does. A walk comes here for each message, so it
// reads what reader.messageTo does by steps of its own.
func (x packed) unpack(m *Message) (owner string) {
	p := x.text()
	flags := p[0]
	m.Retain, m.loaded, m.QoS = flags&flagRetain != 0, flags&flagLoaded != 0, p[1]
	at := 2
	m.Topic, at = p.text(at)
	m.Origin, at = p.text(at)
	expires, at := p.uint(at)
	m.Expires = Time(expires & runMask)
	m.From, at = p.uint(at)
	m.rev, at = p.uint(at)
	payload, at := p.text(at)
	m.Payload = unsafe.Slice(unsafe.StringData(payload), len(payload))
	if len(payload) > packAlias {
		m.Topic = strings.Clone(m.Topic)
	}
	if m.Meta = nil; flags&flagMeta != 0 {
		r := reader{b: p.bytes()[at:], lasts: true}
		m.Meta = r.meta()
		return r.text()
	}
	owner, _ = p.text(at)
	return owner
}

// uint is the number at a place, and the place after it.
func (p packedText) uint(at int) (v uint64, next int) {
	if b := p[at]; b < 0x80 {
		return uint64(b), at + 1
	}
	return p.large(at)
}

func (p packedText) large(at int) (v uint64, next int) {
	v, n := binary.Uvarint(p.bytes()[at:])
	return v, at + n
}

// text is the string at a place, and the place after it.
func (p packedText) text(at int) (s string, next int) {
	n, at := p.uint(at)
	next = at + int(n)
	return string(p[at:next]), next
}

// isLoaded is Message.loaded.
func (p packed) isLoaded() bool { return p.text()[0]&flagLoaded != 0 }

// message is the message. It shares p's memory.
func (p packed) message() *Message {
	m := new(Message)
	p.unpack(m)
	return m
}

// record is what the store keeps of it.
func (p packed) record(x *ages) []byte {
	var m Message
	owner := p.unpack(&m)
	if m.Expires == 0 {
		return p.text().bytes()
	}
	return putText(appendMessage(nil, &m, x), owner)
}

// packedRecord is the opposite, for a record that has been read without a fault.
func packedRecord(record []byte, m *Message, owner string) packed {
	if m.Expires == 0 {
		return packText(record)
	}
	return pack(m, owner)
}

// unpacked is the room for the messages of a walk that are over with their
// delivery. They have it in common: each keeps the others alive.
type unpacked struct {
	room []Message
	used int  // of room
	from int  // of it, by the last Take
	seen byte // so that nobody thinks that expect does nothing
}

const unpackAtOnce = 64

// expect looks at what will be unpacked, at both ends of it. A million messages
// are in no cache, and the memory gives many at once as fast as one after the
// other.
func (u *unpacked) expect(items []packed) {
	var seen byte
	for _, p := range items {
		seen ^= *p.at
	}
	for _, p := range items {
		text := p.text()
		seen ^= text[len(text)-1]
	}
	u.seen = seen
}

// next unpacks a message, for as long as it is the last. About so many follow.
func (u *unpacked) next(p packed, about int) *Message {
	if u.used == len(u.room) {
		*u = unpacked{room: make([]Message, min(about, unpackAtOnce))}
	}
	m := &u.room[u.used]
	p.unpack(m)
	return m
}

// keep lets the last one live on.
func (u *unpacked) keep() { u.used++ }

// begin is that of a Take.
func (u *unpacked) begin() { u.from = u.used }

// forget leaves the room to whoever still looks at it.
func (u *unpacked) forget() {
	if u.used > 0 {
		*u = unpacked{}
	}
}

// LetGo tells that nobody looks any more at the messages of what the last Take
// has delivered with Stored and QoS 0, so that their memory can be used again. A
// room need not call it.
func (t *Turn) LetGo() {
	u := &t.unpacked
	for i := u.from; i < u.used; i++ {
		u.room[i].unlink()
	}
	u.used = u.from
}
