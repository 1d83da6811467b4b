package abuse

import "strings"

// A conversation is valid; its parts are what a client writes at a time, or its datagrams.
type conversation struct {
	on    string
	parts []string
}

// streamed are the conversations on connections, thrown those by datagrams.
var streamed = []conversation{
	{"mqtt", mqttTalk}, {"mqtt-ws", mqttTalk}, {"mqtt", mqtt3Talk}, {"stomp", stompTalk}, {"stomp-ws", stompTalk}, {"amqp", amqpTalk},
	{"ws-mqtt", wsTalk}, {"ws", []string{upgrade("/mqtt", "mqtt"), ws(0x88, "\x03\xe8")}}, {"http", httpTalk},
}

var thrown = []conversation{{"coap", coapTalk}, {"mqttsn", snTalk}}

var mqttTalk = []string{
	mq(0x10, "\x00\x04MQTT\x05\xce\x00\x3c"+"\x0a\x11\x00\x00\x00\x05\x21\x00\x0a\x22\x00\x05"+text("talk")+"\x05\x18\x00\x00\x00\x01"+text("talk/will")+text("gone")+text("user")+text("secret")),
	subscribe5(1, "\x0b\x07", "talk/+/a", "$share/g/talk/#", "talk/#"),
	publish5(0, "talk/1/a", "", "", "zero"),
	publish5(2, "talk/1/a", "\x00\x02", "\x01\x01\x02\x00\x00\x00\x09\x03"+text("text/plain")+"\x08"+text("talk/reply")+"\x09"+text("id")+"\x23\x00\x01\x26"+text("k")+text("v"), "one"),
	publish5(2, "", "\x00\x03", "\x23\x00\x01", "again"),
	publish5(4, "talk/1/b", "\x00\x04", "", "two"), "\x62\x02\x00\x04",
	publish5(1, "talk/kept", "", "", "kept"), publish5(1, "talk/kept", "", "", ""),
	mq(0xa2, "\x00\x05\x00"+text("talk/#")), ping, "\xe0\x00",
}

var mqtt3Talk = []string{
	mq(0x10, "\x00\x06MQIsdp\x03\x02\x00\x3c"+text("talk3")), mq(0x82, "\x00\x01"+text("talk/#")+"\x02"),
	mq(0x32, text("talk/1")+"\x00\x02one"), mq(0x34, text("talk/1")+"\x00\x03two"), "\x62\x02\x00\x03", mq(0xa2, "\x00\x04"+text("talk/#")), ping, over,
}

var stompTalk = []string{
	st("CONNECT", "accept-version:1.0,1.1,1.2\nhost:/\nheart-beat:10000,10000\nlogin:user\npasscode:secret\nclient-id:talk", ""),
	st("SUBSCRIBE", "id:1\ndestination:/topic/talk.#\nack:client\nreceipt:1", ""),
	st("SUBSCRIBE", "id:2\ndestination:/queue/talk\nack:client-individual\nprefetch-count:2", ""),
	st("BEGIN", "transaction:t", ""),
	st("SEND", "destination:/topic/talk.a\ntransaction:t\ncontent-length:5\nreceipt:2", "a\x00b\ncd"[:5]),
	st("SEND", `destination:/queue/talk`+"\npriority:4\nexpiration:1000\nx-a:b\\nc\\cd\\\\e\nreply-to:/temp-queue/r", "queued"),
	st("COMMIT", "transaction:t\nreceipt:3", ""), "\n\r\n",
	st("UNSUBSCRIBE", "id:2\nreceipt:4", ""), bye,
}

var amqpTalk = []string{
	amqpHeader, method(0, 10, 11, long(short("product")+"S"+long("talk")+short("capabilities")+"F"+long(short("basic.nack")+"t\x01"))+short("PLAIN")+long("\x00guest\x00guest")+short("en_US")),
	tuneOk, openOk, channel,
	method(1, 40, 10, u16(0)+short("talk-x")+short("direct")+"\x04"+long("")),
	declare("talk-q", short("x-max-length")+"I"+u32(100)), method(1, 50, 20, u16(0)+short("talk-q")+short("talk-x")+short("k")+"\x00"+long("")),
	method(1, 85, 10, "\x00"), method(1, 60, 10, u32(0)+u16(10)+"\x00"),
	publish091("talk-x", "k", "\x01"), frame(2, 1, u16(60)+u16(0)+u64(5)+u16(0xb000)+short("text/plain")+long(short("h")+"A"+long("I"+u32(7)+"V"))+"\x02"), frame(3, 1, "he"), frame(3, 1, "llo"),
	consume("talk-q", "t"), method(1, 60, 80, u64(0)+"\x01"), method(1, 60, 70, u16(0)+short("talk-q")+"\x00"),
	method(1, 60, 30, short("t")+"\x00"), method(1, 60, 110, "\x01"), method(1, 50, 30, u16(0)+short("talk-q")+"\x00"),
	method(1, 50, 40, u16(0)+short("talk-q")+"\x00"), method(1, 40, 20, u16(0)+short("talk-x")+"\x00"),
	method(2, 20, 10, short("")), method(2, 90, 10, ""), publish091("amq.topic", "talk.a", "\x00"), content(1, "x"), method(2, 90, 20, ""),
	frame(8, 0, ""), method(1, 20, 40, u16(200)+short("")+u16(0)+u16(0)), closing,
}

var wsTalk = []string{
	ws(0x02, connect5("talk-frames", "")[:4]), ws(0x89, "ping"), ws(0x80, connect5("talk-frames", "")[4:]), ws(0x82, ping+ping), ws(0x82, ping[:1]), ws(0x82, ping[1:]), ws(0x88, "\x03\xe8bye"),
}

var httpTalk = []string{
	get("GET", "/healthz", ""), get("GET", "/readyz?verbose", "Accept: text/plain\r\n"), get("GET", "/metrics", "Accept-Encoding: gzip\r\nConnection: close\r\n"),
}

var coapTalk = []string{
	co(0x41, 1, 1, "t"+options(11, ".well-known", 11, "core")), co(0x42, 1, 2, "tt"+options(6, "", 11, "ps", 11, "talk", 11, "#")),
	co(0x41, 3, 3, "a"+options(11, "ps", 11, "talk", 12, "\x32", 15, "qos=1", 15, "expiry=5")+"\xff{}"),
	co(0x51, 2, 4, "b"+options(11, "ps", 11, "talk", 258, "\x02")+"\xffx"),
	co(0x41, 3, 5, "c"+options(11, "ps", 11, "talk", 27, "\x08")+"\xff"+strings.Repeat("x", 16)), co(0x41, 3, 6, "c"+options(11, "ps", 11, "talk", 27, "\x10")+"\xffend"),
	co(0x41, 1, 7, "d"+options(4, "etag", 11, "ps", 11, "talk", 17, "\x32", 23, "\x02")), co(0x41, 1, 8, "tt"+options(6, "\x01", 11, "ps", 11, "talk", 11, "#")),
	co(0x41, 4, 9, "e"+options(11, "ps", 11, "talk")), co(0x60, 0, 1, ""), co(0x70, 0, 2, ""), co(0x40, 0, 10, ""),
}

var snTalk = []string{
	sn(1, "\x00"), sn(4, "\x0c\x01\x00\x3ctalk"), sn(7, "\x20talk/will"), sn(9, "gone"), sn(0x0a, "\x00\x00\x00\x01talk/1"),
	sn(0x12, "\x20\x00\x02talk/#"), sn(0x12, "\x02\x00\x03ab"), sn(0x0c, "\x22ab\x00\x04one"), sn(0x0c, "\x42ab\x00\x05two"), sn(0x10, "\x00\x05"),
	sn(0x0c, "\x00\x04\x01\x00\x00zero"), sn(0x0d, "\x04\x01\x00\x01\x00"), sn(0x1a, "\x00talk/w"), sn(0x1c, "later"), sn(0x16, ""),
	sn(0x14, "\x00\x00\x06talk/#"), "\x05\xfe\x00ab" + sn(1, "\x00"), sn(0x18, "\x00\x05"), sn(0x16, "talk"), sn(0x18, ""),
}
