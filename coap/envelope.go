package coap

import (
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/entrepot/entrepot/core"
)

// envelope is what ?env=cbor adds to a value: the facts of the delivery.
type envelope struct {
	on     bool
	qos    uint8
	retain bool
}

// wrapped is the map of R12.
type wrapped struct {
	Topic       string      `cbor:"0,keyasint"`
	Payload     []byte      `cbor:"1,keyasint"`
	QoS         uint8       `cbor:"2,keyasint"`
	Retain      bool        `cbor:"3,keyasint"`
	ContentType string      `cbor:"4,keyasint,omitempty"`
	Properties  [][2]string `cbor:"5,keyasint,omitempty"`
	ReplyTo     string      `cbor:"6,keyasint,omitempty"`
	Correlation []byte      `cbor:"7,keyasint,omitempty"`
}

// appendEnvelope appends the message with its facts as CBOR. Reply topic and
// correlation data have keys of their own, so that no user property can be
// taken for them. What is not UTF-8 cannot be
// a text string (RFC 8949, section 3.1): a receiver would refuse the envelope,
// so it is left out, and lost is called with its name.
func appendEnvelope(b []byte, m *core.Message, e envelope, lost func(field string)) []byte {
	w := wrapped{Topic: m.Topic, Payload: m.Payload, QoS: e.qos, Retain: e.retain}
	if w.Payload == nil {
		w.Payload = []byte{}
	}
	if x := m.Meta; x != nil {
		text := func(field, value string) string {
			if !utf8.ValidString(value) {
				lost(field)
				return ""
			}
			return value
		}
		w.ContentType, w.Correlation = text("content_type", x.ContentType), x.Correlation
		if x.Replies() {
			w.ReplyTo = x.ReplyTo
		} else if x.ReplyTo != "" {
			lost("reply_to")
		}
		for _, h := range x.Headers {
			value := h.String()
			if !utf8.ValidString(h.Name) || !utf8.ValidString(value) {
				lost("headers")
				continue
			}
			w.Properties = append(w.Properties, [2]string{h.Name, value})
		}
	}
	enc, err := cbor.Marshal(w)
	if err != nil {
		return b // never: what it is made of is text and bytes
	}
	return append(b, enc...)
}
