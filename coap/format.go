package coap

import (
	"hash/fnv"
	"time"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// metaOf is what a message has that came with a Content-Format.
func metaOf(f message.Format) *core.Meta {
	return &core.Meta{ContentType: f.MediaType(), Text: f.IsText()}
}

// represent fills r with a message as a resource: its value or, if the request
// asked for it, the envelope.
func represent(r *response, m *core.Message, e envelope, ep *Endpoint, now core.Time) {
	r.code = message.Content
	r.payload = m.Payload
	if m.Meta != nil && m.Meta.ContentType != "" {
		if f, ok := message.FormatOf(m.Meta.ContentType); ok {
			r.setFormat(f)
		} else if !e.on {
			r.lost(ep, m, "content_type")
		}
	}
	if e.on {
		r.payload = appendEnvelope(nil, m, e, func(field string) { r.lost(ep, m, field) })
		r.setFormat(message.CBOR)
	} else if m.Meta != nil {
		r.countLost(ep, m)
	}
	r.setMaxAge(maxAge(m, now, ep.cfg.MaxAge))
	r.setETag(etagOf(m))
}

// countLost counts what only the envelope could carry (section 8.1).
func (r *response) countLost(ep *Endpoint, m *core.Message) {
	if m.Meta.ReplyTo != "" {
		r.lost(ep, m, "reply_to")
	}
	if len(m.Meta.Correlation) > 0 {
		r.lost(ep, m, "correlation")
	}
	if len(m.Meta.Headers) > 0 {
		r.lost(ep, m, "headers")
	}
}

func (r *response) lost(ep *Endpoint, m *core.Message, field string) {
	r.lossy = true
	ep.room.host.Metrics.Lost(m.Origin, Protocol, field)
}

// maxAge is how long the value is fresh: until it expires, at most bound, in
// seconds (8.1).
func maxAge(m *core.Message, now core.Time, bound time.Duration) uint32 {
	s := int64(bound / time.Second)
	if left, ok := m.Remaining(now, time.Second); ok {
		s = min(s, left)
	}
	return uint32(s)
}

// etagOf tells the values of a topic apart: by their revision, or by their
// content where there is none (R7).
func etagOf(m *core.Message) uint64 {
	h := fnv.New64a()
	h.Write([]byte(m.Topic))
	rev := m.Revision()
	if rev == 0 {
		h.Write(m.Payload)
	}
	for i := range 8 {
		h.Write([]byte{byte(rev >> (8 * i))})
	}
	return h.Sum64()
}

// acceptable reports whether r has the format that Accept names. A value of
// unknown format counts as application/octet-stream (R9).
func acceptable(accept int32, r *response) bool {
	if accept < 0 || len(r.payload) == 0 && !r.has(hasFormat) {
		return true
	}
	f := message.OctetStream
	if r.has(hasFormat) {
		f = r.format
	}
	return int32(f) == accept
}
