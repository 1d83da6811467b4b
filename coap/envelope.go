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
}

// appendEnvelope appends the message with its facts as CBOR. Reply-to and
// correlation travel as properties of those names. What is not UTF-8 cannot be
// a text string (RFC 8949, section 3.1): a receiver would refuse the envelope,
// so it is left out, and lost is called with its name.
func appendEnvelope(b []byte, m *core.Message, e envelope, lost func(field string)) []byte {
	w := wrapped{Topic: m.Topic, Payload: m.Payload, QoS: e.qos, Retain: e.retain}
	if w.Payload == nil {
		w.Payload = []byte{}
	}
	if x := m.Meta; x != nil {
		property := func(field, name, value string) {
			switch {
			case !utf8.ValidString(name) || !utf8.ValidString(value):
				lost(field)
			case value != "" || field == "headers":
				w.Properties = append(w.Properties, [2]string{name, value})
			}
		}
		if w.ContentType = x.ContentType; !utf8.ValidString(w.ContentType) {
			w.ContentType = ""
			lost("content_type")
		}
		for _, h := range x.Headers {
			property("headers", h.Name, h.String())
		}
		property("reply_to", "reply", x.ReplyTo)
		property("correlation", "cid", string(x.Correlation))
	}
	enc, err := cbor.Marshal(w)
	if err != nil {
		return b // never: what it is made of is text and bytes
	}
	return append(b, enc...)
}
