package abuse

import (
	"fmt"
	"strings"
)

// opened are the answers to the handshake, inside those with a channel too.
const (
	opened = "10.10, 10.30, 10.41, "
	inside = opened + "20.11, "
)

// on1 puts frames behind an open channel; an orderly end follows.
func on1(frames ...string) string { return amqp + channel + strings.Join(frames, "") + closing }

// publish on channel 1, the method alone.
func publish091(exchange, key string, bits string) string {
	return method(1, 60, 40, u16(0)+short(exchange)+short(key)+bits)
}

// nested is a table with tables in it.
func nested(depth int) string {
	inner := ""
	for range depth {
		inner = short("a") + "F" + long(inner)
	}
	return inner
}

// declare is a queue.declare, exclusive, with arguments.
func declare(name, arguments string) string {
	return method(1, 50, 10, u16(0)+short(name)+"\x04"+long(arguments))
}

func consume(queue, tag string) string { return consumeOn(1, queue, tag) }

func consumeOn(channel int, queue, tag string) string {
	return method(channel, 60, 20, u16(0)+short(queue)+short(tag)+"\x02"+u32(0))
}

var amqpRows = []verdict{
	// The protocol header.
	{want: "", moved: "protocol_errors amqp header", reason: "preauth.closed", of: []bad{
		{id: "AQ1 garbage", send: "GET / HTTP/1.1\r\n\r\n"},
		{id: "AQ1 TLS on the plain port", send: "\x16\x03\x01\x02\x00\x01"},
	}},
	{want: "header", moved: "protocol_errors amqp header", reason: "preauth.closed", of: []bad{
		{id: "A7a version 0-8", send: "AMQP\x01\x01\x08\x00"},
		{id: "A7a version 1.0", send: "AMQP\x00\x01\x00\x00"},
		{id: "A7a garbage behind A", send: "A" + strings.Repeat("\xff", 100)},
		{id: "A7a header flood", part: "AMQP\x01\x01\x08\x00", again: 10000},
	}},

	// The handshake.
	{want: "10.10, close 501", moved: "protocol_errors amqp frame_error", reason: "preauth.closed", of: []bad{
		{id: "A7a second header", send: amqpHeader + amqpHeader},
		{id: "AQ2 frame end", send: amqpHeader + startOk[:len(startOk)-1] + "\xcf"},
		{id: "AQ2 frame type 5", send: amqpHeader + frame(5, 0, "x")},
		{id: "AQ2 heartbeat on channel 1", send: amqpHeader + frame(8, 1, "")},
		{id: "A3 4 GiB announced", send: amqpHeader + "\x01\x00\x00\xff\xff\xff\xff", part: strings.Repeat("x", 16384), again: 256},
		{id: "A3 above 16 KiB before tune", send: amqpHeader + "\x01\x00\x00" + u32(16384)},
	}},
	{want: "10.10, close 502", moved: "protocol_errors amqp syntax_error", reason: "preauth.closed", of: []bad{
		{id: "AQ3 start-ok without arguments", send: amqpHeader + method(0, 10, 11, "")},
		{id: "AQ3 string past the end", send: amqpHeader + method(0, 10, 11, u32(0)+"\xffPLAIN")},
		{id: "A7c tables nested 2000 deep", send: amqpHeader + method(0, 10, 11, long(nested(1000))+short("PLAIN")+long("")+short("en_US"))},
		{id: "A7c table longer than its frame", send: amqpHeader + method(0, 10, 11, "\xff\xff\xff\xff"+short("PLAIN"))},
		{id: "AQ3 unknown field type", send: amqpHeader + method(0, 10, 11, long(short("a")+"?")+short("PLAIN")+long("")+short("en_US"))},
		{id: "AQ3 bytes left", send: amqpHeader + method(0, 10, 11, u32(0)+short("PLAIN")+long("\x00a\x00b")+short("en_US")+"rest")},
	}},
	{want: "10.10, close 503", moved: "protocol_errors amqp command_invalid", reason: "preauth.closed", of: []bad{
		{id: "AQ12 open first", send: amqpHeader + openOk},
		{id: "AQ12 channel before the login", send: amqpHeader + channel},
		{id: "AQ12 content on channel 0", send: amqpHeader + frame(2, 0, u16(60)+u16(0)+u64(0)+u16(0))},
	}},
	{want: "10.10, close 540", moved: "protocol_errors amqp not_implemented", reason: "", of: []bad{
		{id: "AQ3 unknown method", send: amqpHeader + method(0, 10, 99, "")},
	}},
	{want: "10.10", of: []bad{
		{id: "AQ9 unknown mechanism", send: amqpHeader + method(0, 10, 11, u32(0)+short("NONE")+long("")+short("en_US"))},
		{id: "AQ9 PLAIN without NULs", send: amqpHeader + method(0, 10, 11, u32(0)+short("PLAIN")+long("guest")+short("en_US"))},
		{id: "A10 password of 9 kB", send: amqpHeader + method(0, 10, 11, u32(0)+short("PLAIN")+long("\x00a\x00"+strings.Repeat("x", 9000))+short("en_US"))},
	}},
	{want: "10.10, 10.30, close 530", moved: "protocol_errors amqp not_allowed", of: []bad{
		{id: "A7b frame-max 0", send: amqpHeader + startOk + method(0, 10, 31, u16(1)+u32(0)+u16(0))},
		{id: "A7b frame-max 4 GiB", send: amqpHeader + startOk + method(0, 10, 31, u16(1)+"\xff\xff\xff\xff"+u16(0))},
		{id: "A7b frame-max 100", send: amqpHeader + startOk + method(0, 10, 31, u16(1)+u32(100)+u16(0))},
		{id: "A7b channel-max 0", send: amqpHeader + startOk + method(0, 10, 31, u16(0)+u32(131072)+u16(0))},
		{id: "E9 vhost ../x", send: amqpHeader + startOk + tuneOk + method(0, 10, 40, short("../x")+short("")+"\x00")},
	}},

	// Frames and channels.
	{want: opened + "close 501", moved: "protocol_errors amqp frame_error", reason: "malformed", of: []bad{
		{id: "A7b frame above frame-max", send: amqp + "\x01\x00\x01" + u32(131072)},
		{id: "AQ2 frame type 5", send: amqp + frame(5, 0, "x")},
	}},
	{want: opened + "close 503", moved: "protocol_errors amqp command_invalid", reason: "protocol error", of: []bad{
		{id: "AQ12 start-ok again", send: amqp + startOk},
		{id: "AQ12 tune-ok again", send: amqp + tuneOk},
	}},
	{want: opened + "close 504", moved: "protocol_errors amqp channel_error", reason: "protocol error", of: []bad{
		{id: "AQ19 channel that is not open", send: amqp + declare("q", "")},
		{id: "AQ19 content on a channel that is not open", send: amqp + content(1, "x")},
	}},
	{want: inside + "close 504", moved: "protocol_errors amqp channel_error", reason: "protocol error", of: []bad{
		{id: "AQ19 channel opened twice", send: amqp + channel + channel},
	}},
	{want: opened + "close 530", moved: "protocol_errors amqp not_allowed", of: []bad{
		{id: "AQ19 channel above channel-max", send: amqp + method(5000, 20, 10, short(""))},
	}},
	{want: inside + "close 505", moved: "protocol_errors amqp unexpected_frame", reason: "protocol error", of: []bad{
		{id: "AQ4 header without publish", send: amqp + channel + content(1, "x")},
		{id: "AQ4 method inside a content", send: amqp + channel + publish091("", "q", "\x00") + declare("q", "")},
		{id: "AQ4 body before its header", send: amqp + channel + publish091("", "q", "\x00") + frame(3, 1, "x")},
	}},
	{want: inside + "close 501", moved: "protocol_errors amqp frame_error", reason: "malformed", of: []bad{
		{id: "AQ4 body above body-size", send: amqp + channel + publish091("", "q", "\x00") + frame(2, 1, u16(60)+u16(0)+u64(1)+u16(0)) + frame(3, 1, "xyz")},
		{id: "2.2 flags word that is not defined", send: amqp + channel + publish091("", "q", "\x00") + frame(2, 1, u16(60)+u16(0)+u64(1)+u16(1)+u16(0)) + frame(3, 1, "x")},
	}},
	{want: inside + "close 502", moved: "protocol_errors amqp syntax_error", reason: "malformed", of: []bad{
		{id: "A7c tables nested 9000 deep", send: amqp + channel + declare("q", nested(9000))},
		{id: "A7c tables nested 33 deep", send: amqp + channel + declare("q", nested(33))},
		{id: "AQ3 10,000 entries", send: amqp + channel + declare("q", strings.Repeat(short("a")+"t\x01", 10000))},
		{id: "AQ3 array past the end", send: amqp + channel + declare("q", short("a")+"A\xff\xff\xff\xff")},
		{id: "AQ3 properties end early", send: amqp + channel + publish091("", "q", "\x00") + frame(2, 1, u16(60)+u16(0)+u64(1)+u16(0x8000)+"\xff") + frame(3, 1, "x")},
		{id: "AQ3 method without a number", send: amqp + channel + frame(1, 1, "\x00")},
	}},
	{want: inside + "close 540", moved: "protocol_errors amqp not_implemented", of: []bad{
		{id: "AQ37 immediate", send: amqp + channel + publish091("", "q", "\x02")},
		{id: "AQ44 prefetch-size", send: amqp + channel + method(1, 60, 10, u32(1)+u16(0)+"\x00")},
		{id: "AQ50 recover without requeue", send: amqp + channel + method(1, 60, 110, "\x00")},
		{id: "AQ3 unknown class", send: amqp + channel + method(1, 99, 10, "")},
	}},
	{want: inside + "50.11, 60.21, close 530", moved: "protocol_errors amqp not_allowed", of: []bad{
		{id: "AQ45 tag used twice", send: amqp + channel + declare("abuse-q", "") + consume("abuse-q", "t") + consume("abuse-q", "t")},
	}},
	{want: inside + "50.11" + strings.Repeat(", 60.21", 1024) + ", close 506", moved: "protocol_errors amqp resource_error", of: []bad{
		{id: "L30 1025 consumers", send: amqp + channel + declare("abuse-q", "") + consumers(1, 1025)},
	}},

	// What is just within the limits.
	{want: inside + "50.11" + strings.Repeat(", 60.21", 1024) + ", 20.11" + strings.Repeat(", 60.21", 1024) + ", 10.51", of: []bad{
		{id: "L30 1024 consumers on each of two channels", send: on1(declare("abuse-q", ""), consumers(1, 1024), method(2, 20, 10, short("")), consumers(2, 1024))},
	}},
	{want: opened + strings.Repeat("20.11, ", 2047) + "10.51", of: []bad{
		{id: "L30 2047 channels", send: amqp + channels(2047) + closing},
	}},
	{want: inside + "10.51", of: []bad{
		{id: "L30 a frame as large as frame-max", send: on1(publish091("amq.topic", "nobody", "\x00"), frame(2, 1, u16(60)+u16(0)+u64(131064)+u16(0)), frame(3, 1, strings.Repeat("x", 131064)))},
	}},

	// What ends a channel only.
	{want: inside + "channel.close 311, 10.51", moved: "protocol_errors amqp content_too_large", of: []bad{
		{id: "L7 2^63 announced", send: on1(publish091("", "q", "\x00"), frame(2, 1, u16(60)+u16(0)+u64(1<<63)+u16(0)))},
		{id: "L7 20 MB announced, 1 MB sent", send: on1(publish091("", "q", "\x00"), frame(2, 1, u16(60)+u16(0)+u64(20<<20)+u16(0)), strings.Repeat(frame(3, 1, strings.Repeat("x", 65536)), 16))},
	}},
	{want: inside + "channel.close 403, 10.51", moved: "protocol_errors amqp access_refused", of: []bad{
		{id: "AQ29 reserved queue name", send: on1(declare("amq.mine", ""))},
		{id: "AQ23 reserved exchange", send: on1(method(1, 40, 10, u16(0)+short("amq.mine")+short("topic")+"\x00"+u32(0)))},
		{id: "AQ23 delete amq.topic", send: on1(method(1, 40, 20, u16(0)+short("amq.topic")+"\x00"))},
		{id: "E8 key $SYS.x", send: on1(publish091("amq.topic", "$SYS.x", "\x00"), content(1, "x"))},
	}},
	{want: inside + "channel.close 404, 10.51", moved: "protocol_errors amqp not_found", of: []bad{
		{id: "AQ37 unknown exchange", send: on1(publish091("nowhere", "q", "\x00"), content(1, "x"))},
		{id: "AQ45 consume from nothing", send: on1(consume("nowhere", "t"))},
		{id: "AQ29 no queue declared last", send: on1(consume("", "t"))},
	}},
	{want: inside + "channel.close 406, 10.51", moved: "protocol_errors amqp precondition_failed", of: []bad{
		{id: "AQ49 ack of nothing", send: on1(method(1, 60, 80, u64(7)+"\x00"))},
		{id: "AQ49 nack of nothing", send: on1(method(1, 60, 120, u64(7)+"\x00"))},
		{id: "AQ43 commit without select", send: on1(method(1, 90, 20, ""))},
		{id: "AQ24 exchange of no type", send: on1(method(1, 40, 10, u16(0)+short("e")+short("weird")+"\x00"+u32(0)))},
		{id: "AQ38 expiration of words", send: on1(publish091("amq.topic", "a", "\x00"), frame(2, 1, u16(60)+u16(0)+u64(1)+u16(0x0100)+short("soon")), frame(3, 1, "x"))},
		{id: "AQ33 argument of another type", send: on1(declare("q", short("x-max-length")+"S"+long("many")))},
		{id: "P1d key with CR LF", send: on1(publish091("amq.topic", "a\r\nb", "\x00"), content(1, "x"))},
		{id: "P1d key with U+0085", send: on1(publish091("amq.topic", "a\u0085b", "\x00"), content(1, "x"))},
		{id: "P10 key that is not UTF-8", send: on1(publish091("amq.topic", "a\xff", "\x00"), content(1, "x"))},
	}},
	{want: inside + "20.11, 50.11, 10.51", of: []bad{
		{id: "AQ5 channels interleaved", send: on1(method(2, 20, 10, short("")), publish091("", "q", "\x00"), declare2("abuse-2"), content(1, "x"))},
	}},
	{want: inside + "10.51", of: []bad{
		{id: "P10 key with NUL is escaped", send: on1(publish091("amq.topic", "a\x00", "\x00"), content(1, "x"))},
	}},
	{want: opened + "10.51", of: []bad{
		{id: "AQ13 heartbeat flood", send: amqp + strings.Repeat(frame(8, 0, ""), 20000) + closing},
	}},
	{want: opened + strings.Repeat("20.11, 20.41, ", 2000) + "10.51", of: []bad{
		{id: "AQ19 open and close in a loop", send: amqp + strings.Repeat(channel+method(1, 20, 40, u16(200)+short("")+u16(0)+u16(0)), 2000) + closing},
	}},
}

// declare2 declares a queue on channel 2.
func declare2(name string) string {
	return method(2, 50, 10, u16(0)+short(name)+"\x04"+long(""))
}

func consumers(on, n int) string {
	var all strings.Builder
	for i := range n {
		all.WriteString(consumeOn(on, "abuse-q", fmt.Sprint("t", i)))
	}
	return all.String()
}

// channels opens those from 1 on.
func channels(n int) string {
	var all strings.Builder
	for i := range n {
		all.WriteString(method(1+i, 20, 10, short("")))
	}
	return all.String()
}
