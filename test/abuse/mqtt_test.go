package abuse

import "strings"

// Parts of the rows. hello5 and hello4 log in; over4 and over5 end well after the bad part was survived.
var (
	hello5 = connect5("abuse", "")
	hello4 = connect4("abuse")
	over   = "\xe0\x00"
	ping   = "\xc0\x00"
)

// publish5 is a PUBLISH with the given flags and properties.
func publish5(flags byte, topic, id, p, payload string) string {
	return mq(0x30|flags, text(topic)+id+varint(len(p))+p+payload)
}

func subscribe5(id int, p string, filters ...string) string {
	var body strings.Builder
	body.WriteString(u16(id) + varint(len(p)) + p)
	for _, f := range filters {
		body.WriteString(text(f) + "\x01")
	}
	return mq(0x82, body.String())
}

// will5 is a CONNECT with a will.
func will5(topic string) string {
	return mq(0x10, "\x00\x04MQTT\x05\x06\x00\x00\x00"+text("abuse")+"\x00"+text(topic)+text("gone"))
}

var mqttRows = []verdict{
	{want: "", closes: 1002, moved: "protocol_errors mqtt", reason: "preauth.closed", of: []bad{
		{id: "MC1 garbage", send: "GET / HTTP/1.1\r\n\r\n", ws: true},
	}},
	{want: "", closes: 1002, moved: "preauth_closed mqtt", reason: "preauth.closed", of: []bad{
		{id: "MC1 zeros", send: strings.Repeat("\x00", 4096), ws: true},
		{id: "MC1 ones", send: strings.Repeat("\xff", 4096), ws: true},
		{id: "MC1 auth first", send: "\xf0\x00"},
		{id: "MC3 another name", send: mq(0x10, text("MQTX")+"\x05\x02\x00\x00\x00"+text("a")), ws: true},
	}},
	{want: "", closes: 1002, moved: "preauth_closed mqtt protocol", reason: "preauth.closed", of: []bad{
		{id: "MC1 publish first", send: publish5(0, "a", "", "", "x"), ws: true},
		{id: "MC1 ping flood", part: ping, again: 10000},
	}},
	{want: "connack 84", closes: 1000, moved: "protocol_errors mqtt", of: []bad{
		{id: "MC4 level 6", send: mq(0x10, "\x00\x04MQTT\x06\x02\x00\x00\x00"+text("a")), ws: true},
	}},
	{want: "connack 01", moved: "protocol_errors mqtt", of: []bad{
		{id: "MC4 MQIsdp 4", send: mq(0x10, "\x00\x06MQIsdp\x04\x02\x00\x00"+text("a"))},
	}},
	{want: "connack 81", closes: 1002, moved: "preauth_closed mqtt malformed", reason: "preauth.closed", of: []bad{
		{id: "MC5 reserved flag", send: mq(0x10, "\x00\x04MQTT\x05\x03\x00\x00\x00"+text("a")), ws: true},
		{id: "MC6 will qos 3", send: mq(0x10, "\x00\x04MQTT\x05\x1e\x00\x00\x00"+text("a")+"\x00"+text("w")+text(""))},
		{id: "MC6 will retain without will", send: mq(0x10, "\x00\x04MQTT\x05\x22\x00\x00\x00"+text("a"))},
		{id: "MC7 no client id", send: mq(0x10, "\x00\x04MQTT\x05\x02\x00\x00\x00")},
		{id: "MC7 id past the end", send: mq(0x10, "\x00\x04MQTT\x05\x02\x00\x00\x00\xff\xffabc"), ws: true},
		{id: "MC7 bytes left", send: mq(0x10, "\x00\x04MQTT\x05\x02\x00\x00\x00"+text("a")+"rest")},
		{id: "P1g unknown property", send: connect5("abuse", "\x7f\x00")},
		{id: "P1g property of another packet", send: connect5("abuse", "\x23\x00\x01")},
		{id: "P1g property length past the end", send: mq(0x10, "\x00\x04MQTT\x05\x02\x00\x00\x7f\x21\x00\x01"+text("a"))},
		{id: "P1g property cut by its length", send: connect5("abuse", "\x21\x00")},
	}},
	{want: "", closes: 1002, moved: "preauth_closed mqtt malformed", reason: "preauth.closed", of: []bad{
		{id: "MC5 reserved flag 3", send: mq(0x10, "\x00\x04MQTT\x04\x03\x00\x00"+text("a")), ws: true},
		{id: "P3 fifth length byte", send: "\x10\xff\xff\xff\xff\x01\x00\x04MQTT"},
		{id: "P3 length not minimal", send: "\x10\x8e\x80\x00\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a"},
	}},
	{want: "connack 95", closes: 1009, moved: "preauth_closed mqtt bytes", reason: "preauth.closed", of: []bad{
		{id: "A3 256 MB announced", send: "\x10\xff\xff\xff\x7f\x00\x04MQTT\x05\x02\x00\x00\x00", part: strings.Repeat("x", 16384), again: 256, ws: true},
		{id: "P7 properties of a CONNECT", send: connect5("abuse", strings.Repeat("\x26"+text("k")+text("v"), 1000))},
	}},
	{want: "", moved: "preauth_closed mqtt bytes", reason: "preauth.closed", of: []bad{
		{id: "A3 256 MB announced 3", send: "\x10\xff\xff\xff\x7f\x00\x04MQTT\x04\x02\x00\x00", part: strings.Repeat("x", 16384), again: 256},
	}},
	{want: "connack 85", closes: 1008, moved: "refused mqtt bad_client_id", of: []bad{
		{id: "P1h client id with wildcards", send: connect5("a/+/#", ""), ws: true},
		{id: "P1h client id of 60 kB", send: connect5(strings.Repeat("a", 60000), "")},
		{id: "P1h client id with CR LF", send: connect5("a\r\nb", "")},
	}},
	{want: "connack 00", of: []bad{
		{id: "P1h client id with dots", send: connect5("a.b", "") + over},
	}},
	{want: "connack 85", of: []bad{
		{id: "P1h client id that is not UTF-8", send: connect5("a\xff", "")},
	}},
	{want: "connack 02", moved: "refused mqtt bad_client_id", of: []bad{
		{id: "P1h client id with wildcards 3", send: connect4("a/+/#")},
	}},
	{want: "connack 90", moved: "refused mqtt bad_topic", of: []bad{
		{id: "P1f will with wildcard", send: will5("a/+")},
	}},
	{want: "connack 90", of: []bad{
		{id: "P1f will without topic", send: will5("")},
	}},
	{want: "connack 87", of: []bad{
		{id: "P1f will to $SYS", send: will5("$SYS/x")},
	}},
	{want: "connack 00, disconnect 82", closes: 1002, moved: "protocol_errors mqtt protocol_error", reason: "protocol error", of: []bad{
		{id: "MC2 second CONNECT", send: hello5 + hello5, ws: true},
		{id: "P2 CONNACK from a client", send: hello5 + "\x20\x03\x00\x00\x00", ws: true},
		{id: "P2 SUBACK from a client", send: hello5 + "\x90\x04\x00\x01\x00\x00"},
		{id: "P2 PINGRESP from a client", send: hello5 + "\xd0\x00"},
		{id: "P2 AUTH", send: hello5 + "\xf0\x00"},
		{id: "P3 SUBSCRIBE without filter", send: hello5 + "\x82\x03\x00\x01\x00"},
		{id: "MP2 packet id 0", send: hello5 + publish5(2, "a", "\x00\x00", "", "")},
		{id: "MP1 empty topic", send: hello5 + publish5(0, "", "", "", "x")},
		{id: "P1d subscription id 0", send: hello5 + subscribe5(1, "\x0b\x00", "a")},
	}},
	{want: "connack 00", closes: 1002, moved: "protocol_errors mqtt protocol_error", reason: "protocol error", of: []bad{
		{id: "MC2 second CONNECT 3", send: hello4 + hello4, ws: true},
	}},
	{want: "connack 00, disconnect 81", closes: 1002, moved: "protocol_errors mqtt malformed", reason: "malformed", of: []bad{
		{id: "P1j type 0", send: hello5 + "\x00\x00", ws: true},
		{id: "P1j fifth length byte", send: hello5 + "\x30\xff\xff\xff\xff\x01", ws: true},
		{id: "P1j reserved flags of SUBSCRIBE", send: hello5 + "\x80\x06\x00\x01\x00\x00\x01a\x00", ws: true},
		{id: "P3 length not minimal", send: hello5 + "\xc0\x80\x00"},
		{id: "P3 PUBLISH shorter than its fixed part", send: hello5 + "\x32\x01\x00"},
		{id: "P3 topic runs into the next packet", send: hello5 + "\x30\x04\x00\x09ab" + ping + ping, ws: true},
		{id: "P3 ping with a body", send: hello5 + "\xc0\x01\x00"},
		{id: "P3 SUBSCRIBE cut in its filter", send: hello5 + "\x82\x07\x00\x01\x00\x00\x08ab"},
		{id: "P3 UNSUBSCRIBE with bytes left", send: hello5 + "\xa2\x07\x00\x01\x00\x00\x01a\x00"},
		{id: "MP2 QoS 3", send: hello5 + publish5(6, "a", "\x00\x01", "", ""), ws: true},
		{id: "MP2 DUP with QoS 0", send: hello5 + publish5(8, "a", "", "", "")},
		{id: "ME3 DISCONNECT with bytes left", send: hello5 + "\xe0\x03\x00\x00\x00"},
		{id: "P10 NUL", send: hello5 + publish5(0, "a\x00b", "", "", ""), ws: true},
		{id: "P10 overlong", send: hello5 + publish5(0, "a\xc0\x80b", "", "", "")},
		{id: "P10 surrogate", send: hello5 + publish5(0, "a\xed\xa0\x80b", "", "", "")},
		{id: "P10 truncated", send: hello5 + publish5(0, "a\xe2\x82", "", "", "")},
		{id: "P10 filter that is not UTF-8", send: hello5 + subscribe5(1, "", "a\xff")},
	}},
	{want: "connack 00", moved: "protocol_errors mqtt malformed", reason: "malformed", of: []bad{
		{id: "P1j reserved flags of SUBSCRIBE 3", send: hello4 + "\x80\x06\x00\x01\x00\x01a\x00"},
	}},
	{want: "connack 00, disconnect 95", closes: 1009, moved: "protocol_errors mqtt too_large", reason: "too large", of: []bad{
		{id: "P3 256 MB announced", send: hello5 + "\x30\xff\xff\xff\x7f", part: strings.Repeat("x", 16384), again: 256, ws: true},
		{id: "P7 1000 user properties", send: hello5 + publish5(0, "a", "", strings.Repeat("\x26"+text("k")+text("v"), 1000), ""), ws: true},
		{id: "P7 properties of 70 kB", send: hello5 + publish5(0, "a", "", "\x26"+text("k")+text(strings.Repeat("v", 60000))+"\x26"+text("k")+text(strings.Repeat("v", 10000)), "")},
	}},
	{want: "connack 00, disconnect 90", closes: 1000, moved: "protocol_errors mqtt bad_topic", reason: "bad topic", of: []bad{
		{id: "P1d wildcard in a topic", send: hello5 + publish5(0, "a/#", "", "", "x"), ws: true},
		{id: "P1d CR LF in a topic", send: hello5 + publish5(0, "a\r\nb", "", "", "x"), ws: true},
		{id: "P1d U+0085 in a topic", send: hello5 + publish5(0, "a\u0085b", "", "", "x")},
		{id: "MP13 response topic with wildcard", send: hello5 + publish5(0, "a", "", "\x08"+text("r/+"), "")},
	}},
	{want: "connack 00, suback 8f", moved: "refused mqtt bad_filter", of: []bad{
		{id: "P1d filter a#", send: hello5 + subscribe5(1, "", "a#") + over},
		{id: "P1d filter a/#/b", send: hello5 + subscribe5(1, "", "a/#/b") + over},
		{id: "P1d filter +a", send: hello5 + subscribe5(1, "", "+a") + over},
		{id: "P1d filter with CR LF", send: hello5 + subscribe5(1, "", "a\r\nb") + over},
		{id: "P1e $share//a", send: hello5 + subscribe5(1, "", "$share//a") + over},
		{id: "P1e $share/g", send: hello5 + subscribe5(1, "", "$share/g") + over},
		{id: "P1e $share/+/a", send: hello5 + subscribe5(1, "", "$share/+/a") + over},
		{id: "P1e $share/g/", send: hello5 + subscribe5(1, "", "$share/g/") + over},
		{id: "P6 filter of 16,000 levels", send: hello5 + subscribe5(1, "", strings.Repeat("/", 16000)) + over},
	}},
	{want: "connack 00, puback 90, pingresp", moved: "refused mqtt bad_topic", of: []bad{
		{id: "P1b topic of 32,000 levels", send: hello5 + publish5(3, strings.Repeat("/", 32000), "\x00\x01", "", "x") + ping + over},
	}},
	{want: "connack 00", reason: "bad topic", of: []bad{
		{id: "P1b topic of 32,000 levels 3", send: hello4 + mq(0x33, text(strings.Repeat("/", 32000))+"\x00\x01x")},
	}},
	{want: "connack 00, suback 97", moved: "refused mqtt quota_exceeded", of: []bad{
		{id: "P6 65,000 filters", send: hello5 + subscribe5(1, "", manyFilters(65000)...) + over},
	}},
	{want: "connack 00" + strings.Repeat(", pubrec 10", 1024) + ", disconnect 93", moved: "protocol_errors mqtt", of: []bad{
		{id: "P1a 1100 QoS 2 ids without PUBREL", send: hello5 + manyQoS2(1100)},
	}},
	{want: "connack 00, pubrec 10, puback 91", of: []bad{
		{id: "P5 id in use", send: hello5 + publish5(4, "a", "\x00\x01", "", "") + publish5(2, "a", "\x00\x01", "", "") + over},
	}},
	{want: "connack 00, pubcomp 92, pubrel 92, pingresp", moved: "mqtt_stray_acks", of: []bad{
		{id: "P5 unknown ids", send: hello5 + "\x62\x02\x00\x09" + "\x50\x02\x00\x09" + "\x40\x02\x00\x09" + "\x70\x02\x00\x09" + ping + over},
	}},
	{want: "connack 00, pingresp", moved: "mqtt_stray_acks", of: []bad{
		{id: "P5 acknowledgement storm", send: hello5 + strings.Repeat("\x40\x02\x00\x09\x70\x02\x00\x08", 20000) + ping + over},
	}},
	{want: "connack 00" + strings.Repeat(", pingresp", 5000), of: []bad{
		{id: "P2 ping flood", send: hello5 + strings.Repeat(ping, 5000) + over},
	}},
	{want: "connack 00" + strings.Repeat(", suback 01, unsuback 00", 500), of: []bad{
		{id: "P2 subscribe storm", send: hello5 + strings.Repeat(subscribe5(1, "", "a/+/b")+mq(0xa2, "\x00\x02\x00"+text("a/+/b")), 500) + over},
	}},
	{want: "connack 00, puback 10", of: []bad{
		{id: "P10 U+FFFF and BOM", send: hello5 + publish5(2, "a\uffff\ufeff", "\x00\x01", "", "") + over},
	}},
	{want: "connack 82", closes: 1002, moved: "preauth_closed mqtt protocol", reason: "preauth.closed", of: []bad{
		{id: "P1g duplicate property", send: connect5("abuse", "\x21\x00\x01\x21\x00\x01"), ws: true},
		{id: "P1g Receive Maximum 0", send: connect5("abuse", "\x21\x00\x00")},
		{id: "P1g Maximum Packet Size 0", send: connect5("abuse", "\x27\x00\x00\x00\x00")},
	}},
	{want: "connack 8c", of: []bad{
		{id: "ME1 unknown method", send: connect5("abuse", "\x15"+text("X"))},
	}},
	{want: "connack 00, disconnect 99", moved: "protocol_errors mqtt bad_payload", reason: "payload", of: []bad{
		{id: "P1i payload that is not UTF-8", send: hello5 + publish5(0, "a", "", "\x01\x01", "\xff")},
	}},
	{want: "connack 00, puback 99", moved: "refused mqtt bad_payload", of: []bad{
		{id: "P1i payload that is not UTF-8 with QoS 1", send: hello5 + publish5(2, "a", "\x00\x01", "\x01\x01", "\xff") + over},
	}},
	{want: "connack 00, disconnect 94", moved: "protocol_errors mqtt", reason: "protocol error", of: []bad{
		{id: "P4 alias 0", send: hello5 + publish5(0, "a", "", "\x23\x00\x00", "")},
		{id: "P4 alias above the maximum", send: hello5 + publish5(0, "a", "", "\x23\xff\xff", "")},
	}},
	{want: "connack 00, disconnect 82", moved: "protocol_errors mqtt", reason: "protocol error", of: []bad{
		{id: "P4 alias that is not set", send: hello5 + publish5(0, "", "", "\x23\x00\x01", "")},
		{id: "MP12 subscription id of a client", send: hello5 + publish5(0, "a", "", "\x0b\x01", "")},
		{id: "MC17 expiry raised at the end", send: hello5 + "\xe0\x07\x00\x05\x11\x00\x00\x00\x09"},
	}},
}

func manyFilters(n int) (all []string) {
	for i := range n {
		all = append(all, string(rune('a'+i%26))+"/"+string(rune('A'+i/26%26))+"/"+string(rune(0x100+i/676)))
	}
	return all
}

func manyQoS2(n int) (all string) {
	for i := range n {
		all += publish5(4, "a", u16(i+1), "", "")
	}
	return all
}
