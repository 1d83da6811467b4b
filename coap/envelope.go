package coap

import (
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
// correlation travel as properties of those names.
func appendEnvelope(b []byte, m *core.Message, e envelope) []byte {
	w := wrapped{Topic: m.Topic, Payload: m.Payload, QoS: e.qos, Retain: e.retain}
	if w.Payload == nil {
		w.Payload = []byte{}
	}
	if x := m.Meta; x != nil {
		w.ContentType = x.ContentType
		for _, h := range x.Headers {
			w.Properties = append(w.Properties, [2]string{h.Name, h.String()})
		}
		if x.ReplyTo != "" {
			w.Properties = append(w.Properties, [2]string{"reply", x.ReplyTo})
		}
		if len(x.Correlation) > 0 {
			w.Properties = append(w.Properties, [2]string{"cid", string(x.Correlation)})
		}
	}
	enc, err := cbor.Marshal(w)
	if err != nil {
		return b // text that is not UTF-8: core admits none in topics and names
	}
	return append(b, enc...)
}
