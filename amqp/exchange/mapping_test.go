package exchange

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// publish is a message as a publish with these properties makes it.
func publish(name, key string, p wire.Properties, reliable bool) *core.Message {
	m := core.NewMessage([]byte("body"))
	m.Topic, _ = topic.Dotted.DecodeName(key)
	in := Incoming{
		Envelope: Envelope{Place: Place(nil, name, key), Properties: p.AppendTo(nil)}, P: &p, Reliable: reliable,
		Canonical: name == AmqTopic && topic.Dotted.EncodeName(m.Topic) == key,
	}
	in.Fill(m)
	return m
}

// deliver is what an AMQP receiver gets of m.
func deliver(t *testing.T, m *core.Message, retain bool, attempt uint16) (exchange, key string, p wire.Properties) {
	t.Helper()
	o := Outgoing{}
	e := o.Envelope(&core.Delivery{Message: m, QoS: m.QoS, Retain: retain, Attempt: attempt}, 1000)
	if err := p.Parse(bytes.Clone(e.Properties)); err != nil {
		t.Fatal(err)
	}
	exchange, key = e.Names()
	return exchange, key, p
}

func TestAnAMQPReceiverGetsTheSameOctets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		exchange, key string
		p             wire.Properties
		reliable      bool
	}{
		"nothing":              {AmqTopic, "a.b", wire.Properties{}, false},
		"nothing, confirmed":   {AmqTopic, "a.b", wire.Properties{}, true},
		"persistent":           {AmqTopic, "a.b", wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 2}, false},
		"transient":            {AmqTopic, "a.b", wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 1}, false},
		"transient, confirmed": {AmqTopic, "a.b", wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 1}, true},
		"declared exchange":    {"x", "a.b", wire.Properties{}, false},
		"odd key":              {AmqTopic, "a/b", wire.Properties{}, false},
		"all": {AmqTopic, "a.b", wire.Properties{Flags: 0xfffc, Headers: wire.Table{}.Append("x-retain", wire.Bool(true)),
			ContentType: []byte{0xff}, Expiration: []byte("5")}, false},
	} {
		exchange, key, p := deliver(t, publish(c.exchange, c.key, c.p, c.reliable), false, 1)
		if exchange != c.exchange || key != c.key || !bytes.Equal(p.AppendTo(nil), c.p.AppendTo(nil)) {
			t.Errorf("%s: %q %q %+v", name, exchange, key, p)
		}
	}
}

func TestAMQP_AQ50_AttemptsAreAddedToTheHeaders(t *testing.T) {
	t.Parallel()
	m := publish(AmqTopic, "a", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{}.Append("k", wire.Int(1)).Append("x-delivery-count", wire.Int(9))}, false)
	_, _, p := deliver(t, m, false, 3)
	v, _ := p.Headers.Get("x-delivery-count")
	if n, _ := v.Int(); n != 2 {
		t.Error(n)
	}
	if v, _ := p.Headers.Get("k"); v.Type != 'I' {
		t.Error(v)
	}
}

func TestQoSIn(t *testing.T) {
	t.Parallel()
	two := wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 2}
	for _, c := range []struct {
		p        wire.Properties
		reliable bool
		want     uint8
	}{{wire.Properties{}, false, 0}, {wire.Properties{}, true, 1}, {two, false, 1}, {two, true, 1}} {
		if m := publish(AmqTopic, "a", c.p, c.reliable); m.QoS != c.want {
			t.Errorf("%+v: %d", c, m.QoS)
		}
	}
}

func TestAMQP_AM5_TypedHeadersReachTheOthersAsText(t *testing.T) {
	t.Parallel()
	h := wire.Table{}.
		Append("i", wire.Long(-5)).Append("b", wire.Bool(true)).Append("f", wire.Double(1.5)).Append("s", wire.Longstr("ü")).
		Append("t", wire.Timestamp(1700000000)).Append("v", wire.Void()).Append("x", wire.Octets([]byte{0xff})).
		Append("d", wire.Value{Type: 'D', Raw: []byte{2, 0xff, 0xff, 0xff, 0xfb}}).
		Append("a", wire.Array(wire.Int(1), wire.Longstr("q\"\n"), wire.Nested(wire.Table{}.Append("k", wire.Void())), wire.Octets([]byte("hi")), wire.Bool(false))).
		Append("nul", wire.Longstr("a\x00b")).
		Append("\xff", wire.Int(1))
	m := publish(AmqTopic, "a", wire.Properties{Flags: wire.FlagHeaders, Headers: h}, false)
	want := []core.Header{
		{Name: "i", Kind: core.Int, Bits: uint64(math.MaxUint64 - 4)}, {Name: "b", Kind: core.Bool, Bits: 1},
		{Name: "f", Kind: core.Float, Bits: math.Float64bits(1.5)}, {Name: "s", Text: "ü"},
		{Name: "t", Kind: core.Date, Bits: 1700000000000}, {Name: "v", Kind: core.Null}, {Name: "x", Kind: core.Bytes, Text: "\xff"},
		{Name: "d", Text: "-0.05"}, {Name: "a", Kind: core.JSON, Text: `[1,"q\"\u000a",{"k":null},"aGk=",false]`},
		{Name: "nul", Kind: core.Bytes, Text: "a\x00b"},
		{Name: "\xff", Kind: core.Int, Bits: 1}, // which each receiver's protocol counts as lost
	}
	if got := m.Meta.Headers; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\n%+v", got, want)
	}
}

func TestAMQP_AM1_FieldsGoToTheCoreAndBack(t *testing.T) {
	t.Parallel()
	meta := core.Meta{
		ContentType: "text/plain", ContentEncoding: "gzip", Text: true, ReplyTo: "r/a.b", Correlation: []byte("c"), MessageID: "m",
		Type: "t", AppID: "app", UserID: "u", GroupID: "g", GroupSeq: 7, Priority: 3, HasPriority: true, Created: 5000,
		Headers: []core.Header{{Name: "k", Text: "1"}, {Name: "n", Kind: core.Int, Bits: 5}},
	}
	m := &core.Message{Topic: "a/b", Origin: "mqtt", QoS: 2, Meta: &meta, Expires: 3500}
	exchange, key, p := deliver(t, m, true, 1)
	if exchange != AmqTopic || key != "a.b" || p.DeliveryMode != 2 || string(p.Expiration) != "2500" {
		t.Errorf("%q %q %+v", exchange, key, p)
	}
	back := publish(exchange, key, p, false)
	if !back.Retain || back.QoS != 1 {
		t.Errorf("retain %t QoS %d", back.Retain, back.QoS)
	}
	back.Meta.Native = nil
	if !reflect.DeepEqual(*back.Meta, meta) {
		t.Errorf("\n%+v\n%+v", *back.Meta, meta)
	}
}

func TestAMQP_AM4_DuplicateHeadersSurvive(t *testing.T) {
	t.Parallel()
	hs := []core.Header{{Name: "k", Text: "1"}, {Name: "k", Text: "2"}, {Name: "k", Text: "3"}}
	m := &core.Message{Topic: "a", Origin: "mqtt", Meta: &core.Meta{Headers: append(hs, core.Header{Name: strings.Repeat("n", 256)})}}
	var lost []string
	o := Outgoing{Lost: func(from, field string) { lost = append(lost, from+" "+field) }}
	e := o.Envelope(&core.Delivery{Message: m}, 0)
	var p wire.Properties
	if err := p.Parse(e.Properties); err != nil {
		t.Fatal(err)
	}
	if v, _ := p.Headers.Get("k"); string(v.Raw) != "1" {
		t.Error(v)
	}
	if len(lost) != 1 || lost[0] != "mqtt header" {
		t.Error(lost)
	}
	back := publish(AmqTopic, "a", p, false)
	if !reflect.DeepEqual(back.Meta.Headers, hs) {
		t.Errorf("%+v", back.Meta.Headers)
	}
}

func TestOddFieldsTravelInHeaders(t *testing.T) {
	t.Parallel()
	meta := core.Meta{ContentType: "text/ü", Correlation: []byte{0, 0xff}, ReplyTo: "$queue/jobs"}
	_, _, p := deliver(t, &core.Message{Topic: "a", Origin: "mqtt", Meta: &meta}, false, 1)
	if string(p.ReplyTo) != "jobs" || p.Has(wire.FlagContentType) || p.Has(wire.FlagCorrelationID) {
		t.Errorf("%+v", p)
	}
	back := publish(AmqTopic, "a", p, false)
	back.Meta.Native = nil
	if !reflect.DeepEqual(*back.Meta, meta) {
		t.Errorf("%+v", *back.Meta)
	}
}

func TestAMQP_AM3_LongKeysAreHashed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü/", 200) + "end"
	exchange, key, p := deliver(t, &core.Message{Topic: long, Origin: "mqtt"}, false, 1)
	v, _ := p.Headers.Get("x-topic")
	if exchange != AmqTopic || len(key) > 255 || !strings.Contains(key, ".%7E") || strings.ToValidUTF8(key, "?") != key || string(v.Raw) != long {
		t.Errorf("%q %d %s", key, len(key), v.Raw)
	}
}

func TestAnEnvelopeDoesNotDependOnTheOneBefore(t *testing.T) {
	t.Parallel()
	var ds []*core.Delivery
	for _, topic := range []string{"a/b", "a/b", "", "$queue/q", "$queue/" + strings.Repeat("q", 300), strings.Repeat("long/", 100), "a/b", "a.b"} {
		for _, m := range []*core.Message{{}, {QoS: 1}, {Expires: 5000}, {Meta: &core.Meta{ContentType: "text/plain"}}, {Retain: true}, {Origin: Protocol}} {
			for _, retain := range []bool{false, true} {
				one := core.Message{Topic: topic, QoS: m.QoS, Expires: m.Expires, Meta: m.Meta, Retain: m.Retain, Origin: m.Origin}
				ds = append(ds, &core.Delivery{Message: &one, Retain: retain, Attempt: 1})
			}
		}
	}
	var kept Outgoing
	for range 2 {
		for _, d := range ds {
			var fresh Outgoing
			got, want := kept.Envelope(d, 1000), fresh.Envelope(d, 1000)
			if !bytes.Equal(got.Place, want.Place) || !bytes.Equal(got.Properties, want.Properties) {
				t.Fatalf("%+v: %q %q, want %q %q", d.Message, got.Place, got.Properties, want.Place, want.Properties)
			}
		}
		slices.Reverse(ds)
	}
}

// What is not kept of a message's properties is what they would be.
func TestTheDeliveryModeOfABareMessage(t *testing.T) {
	t.Parallel()
	for qos, want := range []uint8{1, 2, 2} {
		_, _, p := deliver(t, &core.Message{Topic: "a", Origin: "mqtt", QoS: uint8(qos)}, false, 1)
		if p.Flags != wire.FlagDeliveryMode || p.DeliveryMode != want {
			t.Errorf("QoS %d: %+v", qos, p)
		}
	}
}

func TestAQueuesMessageComesFromTheDefaultExchange(t *testing.T) {
	t.Parallel()
	exchange, key, _ := deliver(t, &core.Message{Topic: "$queue/jobs", Origin: "stomp"}, false, 1)
	if exchange != "" || key != "jobs" {
		t.Errorf("%q %q", exchange, key)
	}
}

func TestAMQP_AM2_Expiration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		d time.Duration
		r core.Reason
	}{
		"0": {0, core.OK}, "1500": {1500 * time.Millisecond, core.OK}, "99999999999999999999": {math.MaxUint32 * time.Millisecond, core.OK},
		"": {0, core.Precondition}, "-1": {0, core.Precondition}, "1.5": {0, core.Precondition},
	} {
		in := Incoming{P: &wire.Properties{Flags: wire.FlagExpiration, Expiration: []byte(text)}}
		if d, _, r := in.Expiry(); d != want.d || r != want.r {
			t.Errorf("%q: %v %v", text, d, r)
		}
	}
}

func FuzzIncoming(f *testing.F) {
	p := wire.Properties{Flags: 0xfffc, Headers: wire.Table{}.Append("x-dup", wire.Array(wire.Nested(wire.Table{}.Append("name", wire.Int(1)))))}
	f.Add(p.AppendTo(nil))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p wire.Properties
		if p.Parse(b) != nil {
			return
		}
		m := publish(AmqTopic, "a", p, false)
		if m.Meta == nil {
			return
		}
		m.Meta.Native = nil // as another protocol's message
		m.Origin = "mqtt"
		deliver(t, m, false, 2)
	})
}

func BenchmarkIncomingAndOutgoing(b *testing.B) {
	p := wire.Properties{Flags: wire.FlagContentType, ContentType: []byte("text/plain")}
	props := p.AppendTo(nil)
	in := Incoming{Envelope: Envelope{Place: Place(nil, AmqTopic, "a.b"), Properties: props}, P: &p, Canonical: true}
	o := Outgoing{}
	b.ReportAllocs()
	for b.Loop() {
		m := core.Message{Topic: "a/b"}
		in.Fill(&m)
		o.Envelope(&core.Delivery{Message: &m, Attempt: 1}, 0)
	}
}

// SECURITY E12: what another protocol sent and AMQP cannot say is counted.
func TestSecurity_E12_WhatAMQPCannotSayIsCounted(t *testing.T) {
	t.Parallel()
	meta := core.Meta{ReplyTo: "r\n", Headers: []core.Header{{Name: "a\x00", Text: "x"}, {Name: "k", Text: "v"}}}
	m := &core.Message{Topic: "a", Origin: "mqtt", Meta: &meta}
	var lost []string
	o := Outgoing{Lost: func(from, field string) { lost = append(lost, from+" "+field) }}
	e := o.Envelope(&core.Delivery{Message: m, Attempt: 1}, 1000)
	var p wire.Properties
	if err := p.Parse(e.Properties); err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Headers.Get("x-reply-to-topic"); ok || p.Has(wire.FlagReplyTo) {
		t.Error("a reply topic that nobody can publish to")
	}
	if v, _ := p.Headers.Get("k"); string(v.Raw) != "v" || strings.Join(lost, ", ") != "mqtt reply-to, mqtt header" {
		t.Errorf("%+v, lost %q", p, lost)
	}
}

// What came from AMQP reaches the core as it is, for each receiver to judge.
func TestSecurity_E12_WhatOnlyAMQPCanSayIsNotLostBeforeItIsCounted(t *testing.T) {
	t.Parallel()
	h := wire.Table{}.Append("a\x00b", wire.Longstr("x")).Append("x-reply-to-topic", wire.Longstr("r.\n"))
	m := publish(AmqTopic, "a", wire.Properties{Flags: wire.FlagHeaders | wire.FlagType, Type: []byte("t\x00"), Headers: h}, false)
	if x := m.Meta; x.Type != "t\x00" || x.ReplyTo != "r/\n" || x.Replies() || len(x.Headers) != 1 || x.Headers[0].Name != "a\x00b" {
		t.Errorf("%+v", x)
	}
	m = publish(AmqTopic, "a", wire.Properties{Flags: wire.FlagReplyTo, ReplyTo: []byte("q\x01")}, false)
	if x := m.Meta; x.ReplyTo != "$queue/q\x01" || x.Replies() {
		t.Errorf("%+v", x)
	}
}
