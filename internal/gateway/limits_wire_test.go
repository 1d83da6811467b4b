package gateway

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// packet reads one MQTT packet.
func (w *wire) packet() (first byte, body []byte) {
	w.t.Helper()
	var b [1]byte
	read := func() byte {
		if _, err := io.ReadFull(w, b[:]); err != nil {
			w.t.Fatal(err)
		}
		return b[0]
	}
	first = read()
	n := 0
	for shift := 0; ; shift += 7 {
		x := read()
		n |= int(x&0x7f) << shift
		if x < 0x80 {
			break
		}
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(w, body); err != nil {
		w.t.Fatal(err)
	}
	return first, body
}

func publishQoS2(id int) string {
	return "\x34\x07\x00\x01a" + string([]byte{byte(id >> 8), byte(id)}) + "\x00x"
}

func TestSECURITY_L12_L13_L21_MQTTAtItsDefaults(t *testing.T) {
	t.Parallel()
	r := openFile(t, "listeners: ['mqtt://127.0.0.1:0']\n")
	p := dialTo(t, r.Gateway, 0)
	p.send(connect5 + "p5")
	_, connack := p.packet()
	if !bytes.Contains(connack, []byte("\x21\x04\x00")) || !bytes.Contains(connack, []byte("\x22\x00\x40")) {
		t.Errorf("CONNACK without Receive Maximum 1024 and Topic Alias Maximum 64: % x", connack)
	}
	for id := 1; id <= 1024; id++ { // L12: not one is released
		p.send(publishQoS2(id))
	}
	for id := 1; id <= 1024; id++ {
		if first, body := p.packet(); first != 0x50 || int(binary.BigEndian.Uint16(body)) != id {
			t.Fatalf("PUBREC %d: %x % x", id, first, body)
		}
	}
	p.send(publishQoS2(1025))
	if first, body := p.packet(); first != 0xe0 || body[0] != 0x93 {
		t.Errorf("beyond Receive Maximum: %x % x", first, body)
	}
	old := dialTo(t, r.Gateway, 0)
	old.send(connect3 + "p3")
	old.packet()
	const many = 20_000
	go func() { // P1a: MQTT 3 knows no maximum
		var all strings.Builder
		for id := 1; id <= many; id++ {
			all.WriteString("\x34\x06\x00\x01a" + string([]byte{byte(id >> 8), byte(id)}) + "x")
		}
		_, _ = io.WriteString(old, all.String())
	}()
	for id := 1; id <= many; id++ {
		if first, body := old.packet(); first != 0x50 || int(binary.BigEndian.Uint16(body)) != id {
			t.Fatalf("PUBREC %d of MQTT 3: %x % x", id, first, body)
		}
	}

	alias := dialTo(t, r.Gateway, 0)
	alias.send(connect5 + "a5")
	alias.packet()
	alias.send("\x32\x0a\x00\x01a\x00\x01\x03\x23\x00\x40x") // QoS 1, alias 64
	if first, body := alias.packet(); first != 0x40 {
		t.Errorf("alias 64: %x % x", first, body)
	}
	alias.send("\x32\x0a\x00\x01a\x00\x02\x03\x23\x00\x41x")
	if first, body := alias.packet(); first != 0xe0 || body[0] != 0x94 {
		t.Errorf("alias 65: %x % x", first, body)
	}

	reader := dialTo(t, r.Gateway, 0) // Receive Maximum 65535 and Topic Alias Maximum 65535
	reader.send("\x10\x15\x00\x04MQTT\x05\x02\x00\x00\x06\x21\xff\xff\x22\xff\xff\x00\x02r5")
	reader.packet()
	reader.send("\x82\x07\x00\x01\x00\x00\x01#\x01")
	reader.packet()
	pub := dialTo(t, r.Gateway, 0)
	pub.send(connect5 + "q5")
	pub.packet()
	for i := range 300 {
		topic := string([]byte{'t', byte('a' + i/26%26), byte('a' + i%26)})
		pub.send("\x32\x09\x00\x03" + topic + string([]byte{byte((i + 1) >> 8), byte(i + 1)}) + "\x00x")
		pub.packet()
	}
	var ids []uint16
	most := 0
	take := func() {
		_, body := reader.packet()
		n := 2 + int(binary.BigEndian.Uint16(body))
		ids = append(ids, binary.BigEndian.Uint16(body[n:]))
		if properties := body[n+3 : n+3+int(body[n+2])]; len(properties) >= 3 && properties[0] == 0x23 {
			most = max(most, int(binary.BigEndian.Uint16(properties[1:])))
		}
	}
	for range 256 { // L13
		take()
	}
	reader.send("\xc0\x00")
	if first, _ := reader.packet(); first != 0xd0 {
		t.Errorf("%x, with 256 in flight", first)
	}
	for _, id := range ids[:44] {
		reader.send("\x40\x02" + string([]byte{byte(id >> 8), byte(id)}))
	}
	for range 44 {
		take()
	}
	if most != 64 {
		t.Errorf("aliases up to %d", most)
	}
}

func TestSECURITY_L11_L17_L19_L20_RefusalsOfEachProtocol(t *testing.T) {
	t.Parallel()
	const snHello = "\x08\x04\x04\x01\x00\x3csn"
	amqpOpen := amqpLogin + "\x01\x00\x01\x00\x00\x00\x05\x00\x14\x00\x0a\x00\xce" // channel.open
	type step struct{ send, want string }
	for _, x := range []struct {
		limits, what string
		at           int
		steps        []step
	}{
		{"subscriptions: 1", "MQTT 5", atMQTT, []step{{connect5 + "c5", "\x00\x00"}, {subscribe5, "\x00\x01\x00\x01"}, {"\x82\x07\x00\x02\x00\x00\x01b\x01", "quota exceeded\x97"}}},
		{"subscriptions: 1", "MQTT 3", atMQTT, []step{{connect3 + "c3", "\x20\x02\x00\x00"}, {"\x82\x06\x00\x01\x00\x01a\x01", "\x90\x03\x00\x01\x01"}, {"\x82\x06\x00\x02\x00\x01b\x01", "\x90\x03\x00\x02\x80"}}},
		{"subscriptions: 1", "MQTT-SN", atSN, []step{{snHello, "\x03\x05\x00"}, {"\x06\x12\x00\x00\x01a", "\x00\x01\x00"}, {"\x06\x12\x00\x00\x02b", "\x00\x02\x01"}}},
		{"subscriptions: 1", "STOMP", atSTOMP, []step{{stompHello, "CONNECTED"}, {"SUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:1\n\n\x00", "RECEIPT"},
			{"SUBSCRIBE\nid:2\ndestination:/topic/b\nreceipt:2\n\n\x00", "ERROR"}}},

		{"sessions_offline: 1", "MQTT 5", atMQTT, []step{{connect5 + "n5", "\x00\x97"}}},
		{"sessions_offline: 1", "MQTT 3", atMQTT, []step{{connect3 + "n3", "\x20\x02\x00\x03"}}},
		{"sessions_offline: 1", "MQTT-SN", atSN, []step{{snHello, "\x03\x05\x01"}}},

		{"retained: 1", "MQTT 5", atMQTT, []step{{connect5 + "c5", "\x00\x00"}, {"\x33\x07\x00\x01b\x00\x07\x00x", "\x00\x07\x97"}}},
		{"retained: 1", "CoAP", atCoAP, []step{{putA, "\xa3\x00\x07"}}},
		{"retained: 1", "MQTT-SN", atSN, []step{{snHello, "\x03\x05\x00"}, {"\x09\x0c\x32bb\x00\x01hi", "\x07\x0dbb\x00\x01\x01"}}},
		{"retained: 1", "STOMP", atSTOMP, []step{{stompHello, "CONNECTED"}, {"SEND\ndestination:/topic/b\nretain:true\nreceipt:1\n\nx\x00", "ERROR"}}},

		{"queues: 1", "MQTT 5", atMQTT, []step{{connect5 + "c5", "\x00\x00"}, {"\x82\x0e\x00\x02\x00\x00\x08$queue/2\x01", "quota exceeded\x97"}}},
		{"queues: 1", "MQTT 3", atMQTT, []step{{connect3 + "c3", "\x20\x02\x00\x00"}, {"\x82\x0d\x00\x02\x00\x08$queue/2\x01", "\x90\x03\x00\x02\x80"}}},
		{"queues: 1", "STOMP", atSTOMP, []step{{stompHello, "CONNECTED"}, {"SEND\ndestination:/queue/2\nreceipt:1\n\nx\x00", "ERROR"}}},
		{"queues: 1", "AMQP", atAMQP, []step{{amqpOpen, "\x00\x14\x00\x0b"}, // channel.open-ok
			{"\x01\x00\x01\x00\x00\x00\x0d\x00\x32\x00\x0a\x00\x00\x012\x00\x00\x00\x00\x00\xce", "\x00\x14\x00\x28\x01\x96"}}}, // queue.declare, channel.close 406
	} {
		t.Run(x.limits+" "+x.what, func(t *testing.T) {
			t.Parallel()
			r := openFile(t, allListeners+"limits: {"+x.limits+"}\n")
			first := dialTo(t, r.Gateway, atMQTT) // has what there may be
			first.send(connect5 + "f5")
			first.want("CONNACK", "\x00\x00")
			switch x.limits {
			case "retained: 1":
				first.send("\x33\x07\x00\x01r\x00\x07\x00x")
				first.want("PUBACK", "\x00\x07")
			case "queues: 1":
				first.send("\x82\x0e\x00\x02\x00\x00\x08$queue/1\x01")
				first.want("SUBACK", "\x00\x02\x00\x01")
			}
			c := dialTo(t, r.Gateway, x.at)
			for _, s := range x.steps {
				c.send(s.send)
				c.want(x.what, s.want)
			}
			counted := ""
			r.router.Refused(func(_ string, l core.Limit, n uint64) { counted += fmt.Sprintf("%s: %d", l, n) })
			if counted != x.limits {
				t.Errorf("counted %q", counted)
			}
		})
	}
}
