package coap

import (
	"encoding/binary"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// maxDiagnostic bounds the text of a 4.xx or 5.xx, in octets (M19).
const maxDiagnostic = 64

// response is what answers a request, before it is cut into blocks and put
// into a datagram. The zero value is nothing; set marks what is there.
type response struct {
	code     message.Code
	set      fields
	format   message.Format
	etag     uint64
	observe  uint32
	maxAge   uint32
	block1   message.Block
	block2   message.Block
	size1    uint32
	size2    uint32
	echo     []byte
	location *location
	payload  []byte       // never written to: it may be a message's
	opens    *observation // what this answer registers; not on the wire
	silent   bool         // nothing is sent to who sent a NON
	why      core.Reason  // of an error: what refused; not on the wire
	lossy    bool         // the message that it represents has more; not on the wire
}

// location is where a created resource is.
type location struct{ path, query []string }

// fields are the options of a response that have a value.
type fields uint8

const (
	hasFormat fields = 1 << iota
	hasETag
	hasObserve
	hasMaxAge
	hasBlock1
	hasBlock2
	hasSize1
	hasSize2
)

func (r *response) has(f fields) bool { return r.set&f != 0 }

// fail makes r an error: a code and a text that names the rule and nothing
// internal (M19).
func (r *response) fail(c message.Code, why string) {
	*r = response{code: c, payload: []byte(why[:min(len(why), maxDiagnostic)])}
}

// refuse is fail with the reason to count.
func (r *response) refuse(c message.Code, why core.Reason, text string) {
	r.fail(c, text)
	r.why = why
}

func (r *response) setFormat(f message.Format) { r.set |= hasFormat; r.format = f }
func (r *response) setETag(e uint64)           { r.set |= hasETag; r.etag = e }
func (r *response) setMaxAge(s uint32)         { r.set |= hasMaxAge; r.maxAge = s }
func (r *response) setObserve(n uint32)        { r.set |= hasObserve; r.observe = n }
func (r *response) setSize1(n uint32)          { r.set |= hasSize1; r.size1 = n }

// appendTo appends the datagram.
func (r *response) appendTo(b []byte, t message.Type, id uint16, tok message.Token) []byte {
	w := message.Begin(b, t, r.code, id, tok)
	if r.has(hasETag) {
		var e [8]byte
		binary.BigEndian.PutUint64(e[:], r.etag)
		w.Bytes(message.ETag, e[:])
	}
	if r.has(hasObserve) {
		w.Uint(message.Observe, r.observe)
	}
	if r.location != nil {
		for _, s := range r.location.path {
			w.Text(message.LocationPath, s)
		}
	}
	if r.has(hasFormat) {
		w.Uint(message.ContentFormat, uint32(r.format))
	}
	if r.has(hasMaxAge) {
		w.Uint(message.MaxAge, r.maxAge)
	}
	if r.location != nil {
		for _, s := range r.location.query {
			w.Text(message.LocationQuery, s)
		}
	}
	if r.has(hasBlock2) {
		w.Block(message.Block2, r.block2)
	}
	if r.has(hasBlock1) {
		w.Block(message.Block1, r.block1)
	}
	if r.has(hasSize2) {
		w.Uint(message.Size2, r.size2)
	}
	if r.has(hasSize1) {
		w.Uint(message.Size1, r.size1)
	}
	if len(r.echo) > 0 {
		w.Bytes(message.Echo, r.echo)
	}
	return w.End(r.payload)
}

// muted reports whether No-Response value mask suppresses a code: by class, so
// that codes without a registration are covered (M16, G12; RFC 7967).
func muted(mask uint8, c message.Code) bool {
	class := c.Class()
	return class >= 2 && mask&(1<<(class-1)) != 0
}
