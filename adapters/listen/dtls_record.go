package listen

import "encoding/binary"

// Content types of records (RFC 6347, section 4.1; RFC 9146, section 4).
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordData             = 23
	recordCID              = 25
)

// cidSize is the length of our connection identifiers.
const cidSize = 8

type cid [cidSize]byte

// maxHandshakeMessage bounds what a fragment may announce, in bytes; a chain
// of certificates fits (K2a).
const maxHandshakeMessage = 16 << 10

// shape is what the headers of a datagram's records tell.
type shape struct {
	cid       cid
	hasCID    bool
	hello     bool // the first record is a ClientHello
	plain     bool // has records of epoch 0
	encrypted bool // has others
	alert     bool // has a plain alert
	finished  bool // begins epoch 1, which is a Finished
	lastSeq   int  // highest message_seq of plain handshake messages
}

// inspect walks over the records. False: no DTLS, or something that nobody may
// send unencrypted. What passes cannot make the DTLS engine end a connection
// that somebody else has (K2b).
func inspect(b []byte) (s shape, ok bool) {
	s.lastSeq = -1
	for first := true; len(b) > 0; first = false {
		if len(b) < recordHeader {
			return s, false
		}
		head, typ, epoch := recordHeader, b[0], binary.BigEndian.Uint16(b[3:])
		number := binary.BigEndian.Uint64(b[3:]) & (1<<48 - 1)
		if typ == recordCID {
			head += cidSize
			if len(b) < head || epoch == 0 {
				return s, false
			}
			if !s.hasCID {
				s.cid, s.hasCID = cid(b[11:]), true
			}
		}
		size := int(binary.BigEndian.Uint16(b[head-2:]))
		if b[1] != 254 || size == 0 || len(b) < head+size {
			return s, false
		}
		body := b[head : head+size]
		b = b[head+size:]
		if epoch > 0 {
			s.encrypted = true
			s.finished = s.finished || epoch == 1 && number == 0
			if typ < recordChangeCipherSpec || typ > recordData && typ != recordCID {
				return s, false
			}
			continue
		}
		s.plain = true
		if !s.plainRecord(typ, body) {
			return s, false
		}
		s.hello = s.hello || first && typ == typeHandshake && body[0] == clientHello
	}
	return s, s.plain || s.encrypted
}

// plainRecord checks a record of epoch 0.
func (s *shape) plainRecord(typ byte, body []byte) bool {
	switch typ {
	case recordChangeCipherSpec:
		return len(body) == 1 && body[0] == 1
	case recordAlert:
		s.alert = true
		return len(body) == 2
	case typeHandshake:
		return s.fragments(body)
	}
	return false // application data most of all (S15)
}

func (s *shape) fragments(b []byte) bool {
	for len(b) > 0 {
		if len(b) < handshakeHeader {
			return false
		}
		length, offset, size := uint24(b[1:]), uint24(b[6:]), uint24(b[9:])
		if length > maxHandshakeMessage || offset+size > length || len(b) < handshakeHeader+size {
			return false
		}
		s.lastSeq = max(s.lastSeq, int(binary.BigEndian.Uint16(b[4:])))
		b = b[handshakeHeader+size:]
	}
	return true
}
