package mqtt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// propsOf encodes a message's properties and reads them back.
func propsOf(t *testing.T, m *core.Message, met *adapters.Metrics) *packet.Properties {
	t.Helper()
	list, _ := appendMeta(nil, m, met)
	p := &packet.Publish{}
	body := packet.AppendString(nil, "t")
	body = append(packet.AppendVarint(body, uint32(len(list))), list...)
	if err := p.Parse(&packet.Rules{From: packet.Server, StrictUTF8: false}, packet.V5, 0, body); err != nil {
		t.Fatalf("% x: %v", list, err)
	}
	return &p.Properties
}

func full() *core.Meta {
	return &core.Meta{
		ContentType: "text/plain", ContentEncoding: "gzip", Text: true, ReplyTo: "re/ply", Correlation: []byte{0, 1},
		MessageID: "m1", Type: "ty", AppID: "app", UserID: "who", GroupID: "grp", GroupSeq: 7, Priority: 0, HasPriority: true, Created: 1_700_000_000_123,
		Headers: []core.Header{{Name: "b", Text: "1"}, {Name: "a", Text: "2"}, {Name: "b", Text: "1"}},
	}
}

func TestMQTT_AM1_FieldsCrossToMQTTAndBack(t *testing.T) {
	t.Parallel()
	met := adapters.NewMetrics()
	in := full()
	props := propsOf(t, &core.Message{Topic: "t", Meta: in, Origin: "amqp"}, met)
	out := metaOf(props)
	if out.Native == nil || out.Native.Protocol != Name {
		t.Fatal("the User Properties as they came are not kept")
	}
	out.Native = nil
	if got, want := fmt.Sprintf("%+v", *out), fmt.Sprintf("%+v", *in); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	met.Counters(func(name string, labels [3]string, v uint64) { t.Errorf("%s%v = %d", name, labels, v) })
}

func TestMQTT_MD4_UserPropertiesOfOurOwnNamesKeepTheirPlace(t *testing.T) {
	t.Parallel()
	var p packet.Properties
	user("x", "1", "amqp-message-id", "m", "y", "2", "amqp-priority", "many")(&p)
	x := metaOf(&p)
	if x.MessageID != "m" || x.HasPriority || len(x.Headers) != 3 {
		t.Errorf("%+v", x)
	}
	var got []string
	for _, u := range propsOf(t, &core.Message{Topic: "t", Meta: x, Origin: Name}, adapters.NewMetrics()).User {
		got = append(got, string(u.Key)+"="+string(u.Value))
	}
	if strings.Join(got, " ") != "x=1 amqp-message-id=m y=2 amqp-priority=many" {
		t.Errorf("got %q", got)
	}
}

func TestMQTT_AM5_TypedHeadersReachMQTTAsText(t *testing.T) {
	t.Parallel()
	x := &core.Meta{Headers: []core.Header{
		{Name: "int", Kind: core.Int, Bits: 1<<64 - 5}, {Name: "bool", Kind: core.Bool, Bits: 1}, {Name: "bytes", Kind: core.Bytes, Text: "\x00\xff"},
		{Name: "date", Kind: core.Date, Bits: 1_700_000_000_000}, {Name: "null", Kind: core.Null}, {Name: "json", Kind: core.JSON, Text: `{"a":1}`},
	}}
	want := map[string]string{"int": "-5", "bool": "true", "bytes": "AP8=", "date": "2023-11-14T22:13:20Z", "null": "", "json": `{"a":1}`}
	for _, u := range propsOf(t, &core.Message{Topic: "t", Meta: x}, adapters.NewMetrics()).User {
		if string(u.Value) != want[string(u.Key)] {
			t.Errorf("%s = %q, want %q", u.Key, u.Value, want[string(u.Key)])
		}
		delete(want, string(u.Key))
	}
	if len(want) > 0 {
		t.Errorf("missing %v", want)
	}
}

func TestMQTT_AM5_WhatIsNoMQTTStringIsDroppedAndCounted(t *testing.T) {
	t.Parallel()
	met := adapters.NewMetrics()
	long := strings.Repeat("x", 65536)
	m := &core.Message{Topic: "t", Origin: "amqp", Meta: &core.Meta{
		ContentType: "a\x00b", ReplyTo: "a/#", Correlation: make([]byte, 65536), MessageID: "\xff",
		Headers: []core.Header{{Name: long}, {Name: "nul", Text: "\x00"}, {Name: "ok", Text: "1"}},
	}}
	p := propsOf(t, m, met)
	if len(p.User) != 1 || p.Has(packet.ContentType) || p.Has(packet.ResponseTopic) || p.Has(packet.CorrelationData) {
		t.Errorf("kept %+v", p)
	}
	for field, want := range map[string]uint64{"content_type": 1, "reply_to": 1, "correlation": 1, "message_id": 1, "headers": 2} {
		if got := met.Counter("mapping_dropped_total", "amqp", "mqtt", field).Load(); got != want {
			t.Errorf("%s counted %d, want %d", field, got, want)
		}
	}
}

func TestMQTT_26_EveryLossTowards3xIsCounted(t *testing.T) {
	t.Parallel()
	met := adapters.NewMetrics()
	countLosses3(&core.Message{Topic: "t", Origin: "amqp", Meta: full()}, met)
	n := 0
	met.Counters(func(_ string, labels [3]string, _ uint64) {
		if labels[1] == "mqtt3" {
			n++
		}
	})
	if n != 14 {
		t.Errorf("%d fields counted, want 14", n)
	}
}

func TestAMessageWithoutPropertiesHasNoMeta(t *testing.T) {
	t.Parallel()
	var p packet.Properties
	setNum(packet.MessageExpiryInterval, 3)(&p)
	setNum(packet.TopicAlias, 3)(&p)
	if x := metaOf(&p); x != nil {
		t.Errorf("%+v", x)
	}
}

func FuzzMapping(f *testing.F) {
	f.Add([]byte("\x26\x00\x01k\x00\x01v\x03\x00\x01t"))
	f.Add([]byte("\x26\x00\x0famqp-message-id\x00\x01m\x26\x00\x0damqp-priority\x00\x019"))
	f.Fuzz(func(t *testing.T, list []byte) {
		var p packet.Publish
		body := packet.AppendString(nil, "t")
		body = append(packet.AppendVarint(body, uint32(len(list))), list...)
		if p.Parse(nil, packet.V5, 0, body) != nil {
			return
		}
		x := metaOf(&p.Properties)
		again := propsOf(t, &core.Message{Topic: "t", Meta: x, Origin: Name}, adapters.NewMetrics())
		if len(again.User) != len(p.Properties.User) {
			t.Fatalf("%d User Properties became %d", len(p.Properties.User), len(again.User))
		}
		for i, u := range p.Properties.User { // order, names and values
			if string(u.Key) != string(again.User[i].Key) || string(u.Value) != string(again.User[i].Value) {
				t.Fatalf("%q=%q became %q=%q", u.Key, u.Value, again.User[i].Key, again.User[i].Value)
			}
		}
		for _, id := range []packet.PropID{packet.ContentType, packet.ResponseTopic, packet.CorrelationData} {
			if string(p.Properties.Str(id)) != string(again.Str(id)) {
				t.Fatalf("%v: %q became %q", id, p.Properties.Str(id), again.Str(id))
			}
		}
	})
}

// Properties that say the same as their absence, and the longest ones, are
// passed on too. [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-20]
func TestMQTT_MD4_WhatSaysNothingPassesUnaltered(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#")
		deep := strings.Repeat("/", 1000)
		p := w.connect("p", v5)
		p.send(with(pub("a", "x", 0, 0), setNum(packet.PayloadFormatIndicator, 0), setStr(packet.ContentType, ""),
			setStr(packet.CorrelationData, ""), setStr(packet.ResponseTopic, deep), user("amqp-type", "t", "", "", "k", "v")))
		r.want(`PUBLISH a "x" 01=0 03= 08=` + deep + ` 09= amqp-type:t : k:v`)
		p.send(with(pub("a", "x", 0, 0), setNum(packet.PayloadFormatIndicator, 1)))
		r.want(`PUBLISH a "x" 01=1`)
		p.send(pub("a", "x", 0, 0))
		r.want(`PUBLISH a "x"`)
		dead := w.connect("dead", v5, will("w", "gone", 0, false, setNum(packet.PayloadFormatIndicator, 0), setNum(packet.MessageExpiryInterval, 0)))
		dead.Drop()
		r.want(`PUBLISH w "gone" 01=0 02=0`)
		late := w.connect("late", v5)
		p.send(retainedWith("kept", setNum(packet.PayloadFormatIndicator, 0), setNum(packet.MessageExpiryInterval, 9)))
		w.Advance(4e9)
		late.send(sub(1, "kept", 0))
		late.want("SUBACK #1 00", `PUBLISH retain kept "x" 01=0 02=5`)
	})
}

func retainedWith(topic string, change ...func(*packet.Properties)) *packet.Publish {
	return with(retained(topic, "x", 0, 0), change...)
}
