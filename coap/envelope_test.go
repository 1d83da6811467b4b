package coap

import (
	"encoding/hex"
	"slices"
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
	if got := hex.EncodeToString(appendEnvelope(nil, m, envelope{qos: 1, retain: true}, nil)); got != "a4006161014131020103f5" {
		t.Error(got)
	}
	m.Meta = &core.Meta{ContentType: "x", Headers: []core.Header{{Name: "k", Text: "v"}, {Name: "k", Kind: core.Int, Bits: 7}}}
	if got := hex.EncodeToString(appendEnvelope(nil, m, envelope{}, nil)); got != "a6006161014131020003f4046178058282616b617682616b6137" {
		t.Error(got)
	}
}

// A text string of CBOR is UTF-8, and correlation data need not be: one MQTT client must not end every observation.
func TestSecurity_E12_WhatIsNotUTF8IsLeftOutOfTheEnvelope(t *testing.T) {
	t.Parallel()
	m := core.NewMessage([]byte("1"))
	m.Topic = "a"
	m.Meta = &core.Meta{ContentType: "\xff", ReplyTo: "r", Correlation: []byte("\xce\x00"), Headers: []core.Header{{Name: "k", Text: "\xfe"}, {Name: "l", Text: ""}}}
	var lost []string
	var w wrapped
	if err := unwrap(appendEnvelope(nil, m, envelope{}, func(f string) { lost = append(lost, f) }), &w); err != nil {
		t.Fatal(err)
	}
	if w.ContentType != "" || !slices.Equal(w.Properties, [][2]string{{"l", ""}}) || w.ReplyTo != "r" || string(w.Correlation) != "\xce\x00" ||
		!slices.Equal(lost, []string{"content_type", "headers"}) {
		t.Errorf("%+v, lost %q", w, lost)
	}
	m.Meta = &core.Meta{ReplyTo: "r\n"} // nobody could publish there
	lost = nil
	if err := unwrap(appendEnvelope(nil, m, envelope{}, func(f string) { lost = append(lost, f) }), &w); err != nil || w.ReplyTo != "" || !slices.Equal(lost, []string{"reply_to"}) {
		t.Errorf("%v, %+v, lost %q", err, w, lost)
	}
}

// A user property of any name is one, and nothing else.
func TestSecurity_E12_NoPropertyLooksLikeAReplyTopic(t *testing.T) {
	t.Parallel()
	m := core.NewMessage([]byte("1"))
	m.Topic = "a"
	m.Meta = &core.Meta{Headers: []core.Header{{Name: "reply", Text: "x"}, {Name: "cid", Text: "y"}}}
	var w wrapped
	if err := unwrap(appendEnvelope(nil, m, envelope{}, nil), &w); err != nil {
		t.Fatal(err)
	}
	if w.ReplyTo != "" || w.Correlation != nil || !slices.Equal(w.Properties, [][2]string{{"reply", "x"}, {"cid", "y"}}) {
		t.Errorf("%+v", w)
	}
}
