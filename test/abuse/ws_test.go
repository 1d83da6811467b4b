package abuse

import "strings"

// The listener for WebSocket speaks HTTP first. What is sent here are the bytes below MQTT and STOMP.

// header changes a line of the upgrade.
func header(old, new string) string { return strings.Replace(upgrade("/mqtt", "mqtt"), old, new, 1) }

var wsRows = []verdict{
	// The request.
	{want: "400", of: []bad{
		{id: "A4e garbage", send: strings.Repeat("\xff\x00", 100) + "\r\n\r\n", half: true},
		{id: "A4e MQTT without WebSocket", send: hello5 + "\r\n\r\n", half: true},
		{id: "A4e wrong sub-protocol", send: upgrade("/mqtt", "chat"), half: true},
		{id: "A4e no key", send: header("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), half: true},
		{id: "A4e version 8", send: header("Version: 13", "Version: 8"), half: true},
		{id: "A4e no upgrade", send: header("Upgrade: websocket\r\n", ""), half: true},
		{id: "A4e two hosts", send: header("Host: 127.0.0.1\r\n", "Host: a\r\nHost: b\r\n"), half: true},
	}},
	{want: "404", of: []bad{
		{id: "A4e unknown path", send: upgrade("/amqp", "amqp"), half: true},
		{id: "A4e path outside", send: upgrade("/../mqtt", "mqtt"), half: true},
	}},
	{want: "405", of: []bad{
		{id: "A4e POST", send: header("GET ", "POST "), half: true},
	}},
	{want: "403", of: []bad{
		{id: "ST27 origin of another site", send: header("Host: 127.0.0.1\r\n", "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n"), half: true},
	}},
	{want: "431", of: []bad{
		{id: "A8b a million headers", send: "GET /mqtt HTTP/1.1\r\n", part: strings.Repeat("a: b\r\n", 4096), again: 256},
		{id: "A8a header without end", send: "GET /mqtt HTTP/1.1\r\na: ", part: strings.Repeat("b", 16384), again: 256},
		{id: "A8a path without end", send: "GET /", part: strings.Repeat("b", 16384), again: 256},
	}},
}

// mqttFrames follow an upgrade to MQTT.
var mqttFrames = []verdict{
	{want: "close 1002", moved: "preauth_closed mqtt malformed", reason: "preauth.closed", of: []bad{
		{id: "A4b unmasked", send: "\x82\x02\xc0\x00"},
		{id: "A4b reserved bit", send: ws(0xa2, "x")},
		{id: "A4d compressed", send: ws(0xc2, "\x4a\x04\x00")},
		{id: "A4b reserved opcode", send: ws(0x83, "x")},
		{id: "A4b ping of 126 bytes", send: ws(0x89, strings.Repeat("x", 126))},
		{id: "A4b ping in fragments", send: ws(0x09, "x")},
		{id: "A4c continuation of nothing", send: ws(0x80, "x")},
		{id: "A4c data inside a message", send: ws(0x02, "\x10") + ws(0x82, "x")},
		{id: "A4b close with a code that nobody may send", send: ws(0x88, "\x03\xed")},
	}},
	{want: "close 1003", moved: "preauth_closed mqtt protocol", reason: "preauth.closed", of: []bad{
		{id: "A4b text where binary is due", send: ws(0x81, "hello")},
	}},
	{want: "close 1009", moved: "preauth_closed mqtt bytes", reason: "preauth.closed", of: []bad{
		{id: "A4a length 2^63", send: "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{id: "A4a length 2^62", send: "\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{id: "A3 256 MB announced", send: "\x82\xff\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00", part: strings.Repeat("\x00", 16384), again: 256},
		{id: "A4c ping flood", send: strings.Repeat(ws(0x8a, "x"), 20000)},
		{id: "A4c a million empty fragments", send: ws(0x02, ""), part: strings.Repeat(ws(0x00, ""), 4000), again: 250},
	}},
	{want: "close 1000", of: []bad{
		{id: "pings within the allowance, then the end", send: strings.Repeat(ws(0x8a, "x"), 5000) + ws(0x88, "\x03\xe8")},
	}},
}

// stompFrames follow one to STOMP.
var stompFrames = []verdict{
	{want: "close 1009", moved: "preauth_closed stomp bytes", reason: "preauth.closed", of: []bad{
		{id: "A3 256 MB announced", send: "\x82\xff\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00"},
	}},
}
