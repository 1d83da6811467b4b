package listen

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"github.com/entrepot/entrepot/core"
)

// A ClientHello in the first record of a datagram, whole:
//
//	type(1)=22 version(2) epoch(2)=0 sequence(6) length(2)                                        record
//	msg_type(1)=1 length(3) message_seq(2) fragment_offset(3)=0 fragment_length(3)=length         handshake
//	version(2) random(32) session_id<0..32> cookie<0..255> suites<2..> compression<1..> extensions
//
// RFC 6347, sections 4.1, 4.2.1, 4.2.2.
type hello struct {
	record []byte // with its header
	seq    uint64 // of the record
	random [32]byte
	before []byte // body up to the cookie's length
	cookie []byte
	after  []byte // suites and what follows
	core   []byte // suites and compression: what may not change with the cookie
}

const (
	recordHeader    = 13
	handshakeHeader = 12
	cookieSize      = 20
	typeHandshake   = 22
	clientHello     = 1
	helloVerify     = 3
)

// parseHello reads one; false if the record is something else or broken. A
// ClientHello in fragments cannot be verified without state, and counts as
// broken.
func parseHello(b []byte) (h hello, ok bool) {
	if len(b) < recordHeader+handshakeHeader || b[0] != typeHandshake || b[recordHeader] != clientHello {
		return h, false
	}
	size := int(binary.BigEndian.Uint16(b[11:]))
	if len(b) < recordHeader+size {
		return h, false
	}
	h.record = b[:recordHeader+size]
	h.seq = binary.BigEndian.Uint64(b[3:]) & (1<<48 - 1)
	head, body := h.record[recordHeader:recordHeader+handshakeHeader], h.record[recordHeader+handshakeHeader:]
	if uint24(head[1:]) != len(body) || uint24(head[6:]) != 0 || uint24(head[9:]) != len(body) || len(body) < 35 {
		return h, false
	}
	copy(h.random[:], body[2:34])
	rest, ok := skip(body[34:], 1)
	if !ok {
		return h, false
	}
	h.before = body[:len(body)-len(rest)]
	if h.after, ok = skip(rest, 1); !ok {
		return h, false
	}
	h.cookie = rest[1 : len(rest)-len(h.after)]
	tail, ok := skip(h.after, 2)
	if ok {
		tail, ok = skip(tail, 1)
	}
	h.core = h.after[:len(h.after)-len(tail)]
	return h, ok
}

// skip passes a vector whose length takes n bytes.
func skip(b []byte, n int) (rest []byte, ok bool) {
	if len(b) < n {
		return nil, false
	}
	size := int(b[0])
	if n == 2 {
		size = int(binary.BigEndian.Uint16(b))
	}
	if len(b) < n+size {
		return nil, false
	}
	return b[n+size:], true
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

func appendUint24(b []byte, n int) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }

// first is the same ClientHello as the client sent it before it had a cookie.
func (h *hello) first() []byte {
	size := len(h.before) + 1 + len(h.after)
	b := append([]byte{typeHandshake, h.record[1], h.record[2]}, make([]byte, 8)...)
	b = binary.BigEndian.AppendUint16(b, uint16(handshakeHeader+size))
	b = appendUint24(append(b, clientHello), size)
	b = appendUint24(append(b, 0, 0, 0, 0, 0), size)
	b = append(append(b, h.before...), 0)
	return append(b, h.after...)
}

// verifyRequest is the HelloVerifyRequest to it. Its record has the sequence
// number of what it answers, so that nothing has to be counted.
func (h *hello) verifyRequest(cookie [cookieSize]byte) []byte {
	const size = 3 + cookieSize
	b := append([]byte{typeHandshake, 254, 255, 0, 0}, h.record[5:11]...) // DTLS 1.0, whatever will be agreed on
	b = binary.BigEndian.AppendUint16(b, handshakeHeader+size)
	b = appendUint24(append(b, helloVerify), size)
	b = appendUint24(append(b, 0, 0, 0, 0, 0), size)
	b = append(b, 254, 255, cookieSize)
	return append(b, cookie[:]...)
}

// cookies proves addresses without remembering them (RFC 6347, section 4.2.1).
type cookies struct{ key [32]byte }

// cookieAge is how long a cookie is good at least, at most twice that.
const cookieAge = 60_000 // milliseconds

func newCookies() *cookies {
	c := new(cookies)
	rand.Read(c.key[:])
	return c
}

// of is the cookie of a ClientHello from an address in a span of time.
func (c *cookies) of(from netip.AddrPort, h *hello, span int64) (out [cookieSize]byte) {
	m := hmac.New(sha256.New, c.key[:])
	addr := from.Addr().As16()
	m.Write(addr[:])
	m.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, from.Port()), uint64(span)))
	m.Write(h.before)
	m.Write(h.core)
	copy(out[:], m.Sum(nil))
	return out
}

func (c *cookies) make(from netip.AddrPort, h *hello, now core.Time) [cookieSize]byte {
	return c.of(from, h, int64(now)/cookieAge)
}

func (c *cookies) valid(from netip.AddrPort, h *hello, now core.Time) bool {
	span := int64(now) / cookieAge
	for _, s := range [...]int64{span, span - 1} {
		if want := c.of(from, h, s); hmac.Equal(want[:], h.cookie) {
			return true
		}
	}
	return false
}
