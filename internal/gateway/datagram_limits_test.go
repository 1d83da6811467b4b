package gateway

import (
	"testing"
)

const (
	snHello = "\x08\x04\x04\x01\x00\x3c"         // CONNECT, CleanSession, an id of two octets follows
	observe = "\x41\x01\x00\x09o\x60\x52ps\x01o" // Confirmable
)

// snPublish is a PUBLISH to the short topic ab, id a digit; flags say the QoS.
func snPublish(flags, id string) string { return "\x08\x0c" + flags + "ab\x00" + id + "x" }

// coPost is a POST to the topic o; 0x41 is Confirmable, 0x51 is not.
func coPost(first, id string) string { return first + "\x02\x00" + id + "p\xb2ps\x01o\xffx" }

// counted tells what a counter has come to.
func (r *reloadable) counted(name string, labels ...string) uint64 {
	return r.metrics.Counter(name, labels...).Load()
}

func TestSecurity_L5_ConnectionsOfADatagramListenerAreItsClients(t *testing.T) {
	t.Parallel()
	r := openFile(t, "listeners: [{url: 'mqttsn://127.0.0.1:0', limits: {connections: 1}}, {url: 'coap://127.0.0.1:0', limits: {connections: 1}}]\n")
	first, second := dialTo(t, r.Gateway, 0), dialTo(t, r.Gateway, 0)
	first.send(snHello + "c1")
	first.want("CONNACK", "\x03\x05\x00")
	second.send(snHello + "c2")
	second.want("CONNACK 01", "\x03\x05\x01")
	if n := r.counted("limit_refused_total", "mqttsn", "connections"); n != 1 {
		t.Errorf("%d refusals are counted", n)
	}
	first.send(snHello + "c3") // the place is that of the address's client
	first.want("CONNACK", "\x03\x05\x00")
	first.send("\x02\x18")
	first.want("DISCONNECT", "\x02\x18")
	second.send(snHello + "c2")
	second.want("CONNACK", "\x03\x05\x00")

	watching, other := dialTo(t, r.Gateway, 1), dialTo(t, r.Gateway, 1)
	for id := range 3 { // who has no observation gives its place up
		other.send(coPost("\x41", string(rune('a'+id))))
		other.want("2.04", "\x44")
	}
	watching.send(observe)
	watching.want("2.05", "\x45")
	other.send(coPost("\x41", "z"))
	other.want("5.03", "\xa3")
	if n := r.counted("limit_refused_total", "coap", "connections"); n != 1 {
		t.Errorf("%d refusals are counted", n)
	}
	watching.send("\x41\x01\x00\x0ao\x61\x01\x52ps\x01o") // ends the observation
	watching.want("its answer", "\x00\x0a")
	other.send(coPost("\x41", "y"))
	other.want("2.04", "\x44")

	r.reload("listeners: [{url: '"+r.urls()[0]+"', limits: {connections: 2}}, '"+r.urls()[1]+"']\n", "")
	first.send(snHello + "c1")
	first.want("CONNACK", "\x03\x05\x00")
	second.send("\x02\x16")
	second.want("PINGRESP", "\x02\x17")
}

func TestSecurity_L5_TheProcessCountsEveryKindOfConnection(t *testing.T) {
	t.Parallel()
	r := openFile(t, "listeners: ['mqttsn://127.0.0.1:0', 'mqtt://127.0.0.1:0', 'coap://127.0.0.1:0']\nlimits: {connections: 2}\n")
	sn := dialTo(t, r.Gateway, 0)
	sn.send(snHello + "c1")
	sn.want("CONNACK", "\x03\x05\x00")
	co := dialTo(t, r.Gateway, 2)
	co.send(observe)
	co.want("2.05", "\x45")
	refused := dialTo(t, r.Gateway, 1)
	refused.send(connect5 + "c5")
	refused.want("CONNACK 0x97", "\x00\x97")
	sn.send("\x02\x18")
	sn.want("DISCONNECT", "\x02\x18")
	stream := dialTo(t, r.Gateway, 1)
	stream.send(connect5 + "c5")
	stream.want("CONNACK", "\x00\x00")
	sn.send(snHello + "c1")
	sn.want("CONNACK 01", "\x03\x05\x01")
}

func TestSecurity_L22_DatagramPublishersHaveTheRateOfTheirListener(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"listeners: [{url: 'mqttsn://127.0.0.1:0', limits: {publish_rate: 2/s}}, {url: 'coap://127.0.0.1:0', limits: {publish_rate: 2/s}}]\n",
		"listeners: ['mqttsn://127.0.0.1:0', 'coap://127.0.0.1:0']\nlimits: {publish_rate: 2/s}\n",
		"listeners: ['mqttsn://127.0.0.1:0', 'coap://127.0.0.1:0']\nroles: {anonymous: {rules: ['pubsub #'], limits: {publish_rate: 2/s}}}\n",
		"listeners: [{url: 'mqttsn://127.0.0.1:0', limits: {publish_bytes_rate: 1}}, {url: 'coap://127.0.0.1:0', limits: {publish_bytes_rate: 1}}]\n",
	} {
		r := openFile(t, text)
		sn, other := dialTo(t, r.Gateway, 0), dialTo(t, r.Gateway, 0)
		sn.send(snHello + "c1")
		sn.want("CONNACK", "\x03\x05\x00")
		other.send(snHello + "c2")
		other.want("CONNACK", "\x03\x05\x00")
		sn.hurries(func(id string) string { return snPublish("\x22", id) }, 6, 0x00, 0x01)
		for i := 0; r.counted("messages_dropped_total", "mqttsn", "rate") == 0; i++ {
			if i == 100 {
				t.Fatal("QoS 0 is not dropped")
			}
			sn.send(snPublish("\x02", "\x00"))
			sn.send("\x02\x16")
			sn.answer("\x02\x17") // and nothing else
		}
		other.send(snPublish("\x22", "\x01"))
		other.want("PUBACK", "\x07\x0dab\x00\x01\x00")

		co := dialTo(t, r.Gateway, 1)
		co.hurries(func(id string) string { return coPost("\x41", id) }, 1, 0x44, 0x9d)
		for i := 0; r.counted("messages_dropped_total", "coap", "rate") == 0; i++ {
			if i == 100 {
				t.Fatal("a NON is not dropped")
			}
			co.send(coPost("\x51", string(rune('a'+i%26))))
			co.send("\x40\x00\x12\x34") // a ping
			if b := co.read(); b[0] == 0x51 && b[1] == 0x44 {
				b = co.read() // that one was in time
			} else if string(b) != "\x70\x00\x12\x34" {
				t.Fatalf("% x", b)
			}
		}
		one := dialTo(t, r.Gateway, 1)
		one.send(coPost("\x41", "a"))
		one.want("2.04", "\x44")
	}
}

// hurries publishes until that is too much, which the first publish is not: the octet at of the answer says so.
func (w *wire) hurries(publish func(id string) string, at int, yes, no byte) {
	w.t.Helper()
	for i := range 100 {
		w.send(publish(string(rune('A' + i%60))))
		switch b := w.read(); {
		case b[at] == no && i > 0:
			return
		case b[at] != yes:
			w.t.Fatalf("publish %d: % x", i, b)
		}
	}
	w.t.Fatal("nothing was too much")
}

// read is the next datagram.
func (w *wire) read() []byte {
	w.t.Helper()
	b := make([]byte, 2048)
	n, err := w.Read(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return b[:n]
}

// answer is read for a datagram that is known.
func (w *wire) answer(want string) {
	w.t.Helper()
	if b := w.read(); string(b) != want {
		w.t.Fatalf("% x, want % x", b, want)
	}
}
