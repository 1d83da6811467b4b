package coap

import (
	"encoding/hex"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/entrepot/entrepot/core"
)

func unwrap(b []byte, w *wrapped) error {
	*w = wrapped{}
	return cbor.Unmarshal(b, w)
}

func TestCoAP_R12_EnvelopeOnTheWire(t *testing.T) {
	t.Parallel()
	m := core.NewMessage([]byte("1"))
	m.Topic = "a"
	if got := hex.EncodeToString(appendEnvelope(nil, m, envelope{qos: 1, retain: true})); got != "a4006161014131020103f5" {
		t.Error(got)
	}
	m.Meta = &core.Meta{ContentType: "x", Headers: []core.Header{{Name: "k", Text: "v"}, {Name: "k", Kind: core.Int, Bits: 7}}}
	if got := hex.EncodeToString(appendEnvelope(nil, m, envelope{})); got != "a6006161014131020003f4046178058282616b617682616b6137" {
		t.Error(got)
	}
}
