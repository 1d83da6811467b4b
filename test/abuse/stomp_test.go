package abuse

import (
	"fmt"
	"strings"
)

// st is a STOMP frame: the command, then header lines, a body.
func st(command, headers, body string) string {
	if headers != "" {
		headers += "\n"
	}
	return command + "\n" + headers + "\n" + body + "\x00"
}

// after puts frames behind a login.
func after(frames ...string) string { return stompConnect + strings.Join(frames, "") }

const bye = "DISCONNECT\nreceipt:bye\n\n\x00"

var stompRows = []verdict{
	// Before CONNECT.
	{want: "ERROR Bad command", closes: 1002, moved: "protocol_errors stomp protocol_error", reason: "preauth.closed", of: []bad{
		{id: "ST2 garbage", send: "GET / HTTP/1.1\r\n\r\n", ws: true},
		{id: "ST2 lower case", send: "connect\n\n\x00"},
	}},
	{want: "ERROR Illegal command", closes: 1002, moved: "protocol_errors stomp protocol_error", reason: "preauth.closed", of: []bad{
		{id: "ST12 SEND first", send: st("SEND", "destination:a", "x"), ws: true},
		{id: "ST12 DISCONNECT first", send: bye},
	}},
	{want: "ERROR Version mismatch", closes: 1000, moved: "stomp_errors Version_mismatch", of: []bad{
		{id: "ST13 version 9", send: st("CONNECT", "accept-version:9\nhost:x", ""), ws: true},
	}},
	{want: "ERROR Bad CONNECT", moved: "stomp_errors Bad_CONNECT", of: []bad{
		{id: "ST14 unknown vhost", send: st("CONNECT", "accept-version:1.2\nhost:/nowhere", "")},
		{id: "ST17 heart-beat of words", send: st("CONNECT", "accept-version:1.2\nheart-beat:a,b", "")},
		{id: "ST17 negative heart-beat", send: st("CONNECT", "accept-version:1.2\nheart-beat:-1,0", "")},
		{id: "P1h client-id with wildcards", send: st("CONNECT", "accept-version:1.2\nclient-id:a/+/#", "")},
		{id: "P1h client-id of 5 kB", send: st("CONNECT", "accept-version:1.2\nclient-id:"+strings.Repeat("a", 5000), "")},
	}},
	{want: "ERROR Invalid frame", closes: 1009, moved: "preauth_closed stomp bytes", reason: "preauth.closed", of: []bad{
		{id: "A8a header without end", send: "CONNECT\nx:", part: strings.Repeat("x", 16384), again: 256, ws: true},
		{id: "A8b a million headers", send: "CONNECT\n", part: strings.Repeat("a:b\n", 4096), again: 256, ws: true},
		{id: "A8b a frame above 64 KiB", send: "CONNECT\n", part: "a:" + strings.Repeat("x", 8000) + "\n", again: 99},
		{id: "ST10 a command without end", part: strings.Repeat("X", 4096), again: 256},
		{id: "A8c content-length 2^63", send: "CONNECT\ncontent-length:9223372036854775808\n\n\x00"},
		{id: "A8c content-length before login", send: "CONNECT\ncontent-length:70000\n\n", part: "x", again: 1},
	}},
	{want: "ERROR Invalid frame", closes: 1002, moved: "preauth_closed stomp malformed", reason: "preauth.closed", of: []bad{
		{id: "ST5 header without colon", send: "CONNECT\nnothing\n\n\x00", ws: true},
		{id: "ST5 header without name", send: "CONNECT\n:x\n\n\x00"},
		{id: "ST1 CR inside a line", send: "CONNECT\naccept-version:1.2\rx:y\n\n\x00"},
		{id: "A8c negative content-length", send: "CONNECT\ncontent-length:-1\n\n\x00"},
	}},
	{want: "", moved: "preauth_closed stomp bytes", reason: "preauth.closed", of: []bad{
		{id: "A8d only EOLs", part: strings.Repeat("\n", 8192), again: 64},
		{id: "A8d only NULs", part: strings.Repeat("\x00", 8192), again: 64},
	}},

	// After CONNECT.
	{want: "CONNECTED, ERROR Bad command", closes: 1002, moved: "protocol_errors stomp protocol_error", reason: "protocol error", of: []bad{
		{id: "ST2 unknown command", send: after("BOGUS\n\n\x00"), ws: true},
		{id: "P2 MESSAGE from a client", send: after(st("MESSAGE", "destination:a", ""))},
		{id: "P2 RECEIPT from a client", send: after(st("RECEIPT", "receipt-id:a", ""))},
		{id: "P2 CONNECTED from a client", send: after(st("CONNECTED", "version:1.2", ""))},
	}},
	{want: "CONNECTED, ERROR Illegal command", closes: 1002, moved: "protocol_errors stomp protocol_error", reason: "protocol error", of: []bad{
		{id: "ST12 second CONNECT", send: after(stompConnect), ws: true},
	}},
	{want: "CONNECTED, ERROR Invalid frame", closes: 1002, moved: "protocol_errors stomp malformed", reason: "malformed", of: []bad{
		{id: "A8c negative content-length", send: after("SEND\ndestination:a\ncontent-length:-1\n\n\x00")},
		{id: "A8c content-length +5", send: after("SEND\ndestination:a\ncontent-length:+5\n\nhello\x00")},
		{id: "A8c two content-lengths, first counts", send: after("SEND\ndestination:a\ncontent-length:1\ncontent-length:5\n\nhello\x00")},
		{id: "ST7 no NUL after the body", send: after("SEND\ndestination:a\ncontent-length:3\n\nhello\x00")},
		{id: "ST3 undefined escape", send: after(st("SEND", `destination:a\t`, ""))},
		{id: "ST3 backslash at the end", send: after(st("SEND", `destination:a\`, ""))},
		{id: "ST5 header without colon", send: after(st("SEND", "destination", "")), ws: true},
		{id: "ST1 CR inside a line", send: after(st("SEND", "destination:a\rb", ""))},
		{id: "ST8 body where none may be", send: after(st("SUBSCRIBE", "id:1\ndestination:a", "body"))},
	}},
	{want: "CONNECTED, ERROR Invalid frame", closes: 1009, moved: "protocol_errors stomp too_large", reason: "too large", of: []bad{
		{id: "A8a header without end", send: after("SEND\nx:"), part: strings.Repeat("x", 16384), again: 256, ws: true},
		{id: "A8b a million headers", send: after("SEND\n"), part: strings.Repeat("a:b\n", 4096), again: 256},
		{id: "A8c content-length 2^63", send: after("SEND\ndestination:a\ncontent-length:9223372036854775808\n\n"), ws: true},
		{id: "A8c content-length of 40 digits", send: after("SEND\ndestination:a\ncontent-length:" + strings.Repeat("9", 40) + "\n\n")},
		{id: "L7 a body of 20 MB announced", send: after("SEND\ndestination:a\ncontent-length:20000000\n\n")},
		{id: "L7 a body of 20 MB", send: after("SEND\ndestination:a\n\n"), part: strings.Repeat("x", 65536), again: 320},
	}},
	{want: "CONNECTED, ERROR Missing destination", closes: 1000, moved: "stomp_errors Missing_destination", of: []bad{
		{id: "ST37 SEND without destination", send: after(st("SEND", "", ""))},
		{id: "ST37 SUBSCRIBE without destination", send: after(st("SUBSCRIBE", "id:1", ""))},
	}},
	{want: "CONNECTED, ERROR Unknown destination", closes: 1000, moved: "stomp_errors Unknown_destination", of: []bad{
		{id: "ST28 unknown prefix", send: after(st("SEND", "destination:/other/x", ""))},
	}},
	{want: "CONNECTED, ERROR Invalid destination", closes: 1000, moved: "stomp_errors Invalid_destination", of: []bad{
		{id: "ST10 destination that is not UTF-8", send: after(st("SEND", "destination:a\xff", ""))},
		{id: "P1d CR LF in a destination", send: after(st("SEND", `destination:/topic/a\r\nb`, "")), ws: true},
		{id: "P1d U+0001 in a destination", send: after(st("SEND", "destination:a\x01", ""))},
		{id: "P1d U+0085 in a destination", send: after(st("SEND", "destination:a\u0085", ""))},
		{id: "P1d wildcard in SEND", send: after(st("SEND", "destination:/topic/a/+", ""))},
		{id: "P1d # in SEND", send: after(st("SEND", "destination:a/#", ""))},
		{id: "P1d filter a/#/b", send: after(st("SUBSCRIBE", "id:1\ndestination:a/#/b", ""))},
		{id: "P1e $share/g", send: after(st("SUBSCRIBE", "id:1\ndestination:$share/g", ""))},
		{id: "P1b 4000 levels", send: after(st("SEND", "destination:"+strings.Repeat("a/", 4000)+"a", ""))},
		{id: "ST29 slash in a queue", send: after(st("SEND", "destination:/queue/a/b", ""))},
		{id: "ST29 nothing behind the prefix", send: after(st("SEND", "destination:/topic/", ""))},
		{id: "ST33 > in the middle", send: after(st("SUBSCRIBE", "id:1\ndestination:/topic/a.>.b", ""))},
	}},
	{want: "CONNECTED, ERROR Missing header", closes: 1000, moved: "stomp_errors Missing_header", of: []bad{
		{id: "ST39 SUBSCRIBE without id", send: after(st("SUBSCRIBE", "destination:a", ""))},
		{id: "ST51 ACK without id", send: after(st("ACK", "", ""))},
		{id: "ST55 BEGIN without transaction", send: after(st("BEGIN", "", ""))},
	}},
	{want: "CONNECTED, ERROR Invalid header", closes: 1000, moved: "stomp_errors Invalid_header", of: []bad{
		{id: "ST37 message-id on SEND", send: after(st("SEND", "destination:a\nmessage-id:1", ""))},
		{id: "ST40 unknown ack mode", send: after(st("SUBSCRIBE", "id:1\ndestination:a\nack:maybe", ""))},
		{id: "ST51 ACK of another's id", send: after(st("ACK", "id:zzz", ""))},
		{id: "ST51 expiry that is no number", send: after(st("SEND", "destination:a\nexpiration:soon", ""))},
	}},
	{want: "CONNECTED, ERROR Duplicated subscription identifier", closes: 1000, moved: "stomp_errors", of: []bad{
		{id: "ST39 id used twice", send: after(strings.Repeat(st("SUBSCRIBE", "id:1\ndestination:a", ""), 2))},
	}},
	{want: "CONNECTED, ERROR No subscription found", closes: 1000, moved: "stomp_errors", of: []bad{
		{id: "ST41 UNSUBSCRIBE of nothing", send: after(st("UNSUBSCRIBE", "id:1", ""))},
	}},
	{want: "CONNECTED, ERROR Bad transaction", closes: 1000, moved: "stomp_errors Bad_transaction", of: []bad{
		{id: "ST55 COMMIT of nothing", send: after(st("COMMIT", "transaction:t", ""))},
		{id: "ST55 ABORT of nothing", send: after(st("ABORT", "transaction:t", ""))},
		{id: "ST55 SEND in none", send: after(st("SEND", "destination:a\ntransaction:t", ""))},
	}},
	{want: "CONNECTED, ERROR Transaction already open", closes: 1000, moved: "stomp_errors", of: []bad{
		{id: "ST55 BEGIN twice", send: after(strings.Repeat(st("BEGIN", "transaction:t", ""), 2))},
	}},
	{want: "CONNECTED, ERROR resource_error", closes: 1000, moved: "stomp_errors resource_error", reason: "quota", of: []bad{
		{id: "L29 17 transactions", send: after(numbered(17, "BEGIN\ntransaction:%d\n\n\x00"))},
		{id: "L29 1025 actions", send: after(st("BEGIN", "transaction:t", ""), strings.Repeat(st("SEND", "destination:a\ntransaction:t", "x"), 1025))},
		{id: "P6 1001 subscriptions", send: after(numbered(1001, "SUBSCRIBE\nid:%d\ndestination:a\n\n\x00"))},
	}},
	{want: "CONNECTED, RECEIPT bye", closes: 1000, of: []bad{
		{id: "L29 16 transactions", send: after(numbered(16, "BEGIN\ntransaction:%d\n\n\x00"), bye)},
		{id: "L29 1024 actions", send: after(st("BEGIN", "transaction:t", ""), strings.Repeat(st("SEND", "destination:a\ntransaction:t", "x"), 1024), st("COMMIT", "transaction:t", ""), bye)},
		{id: "ST1 heart-beat flood", send: after(strings.Repeat("\n", 100000), bye), ws: true},
		{id: "ST21 frames behind DISCONNECT", send: after(bye, "BOGUS\n\n\x00"), ws: true},
		{id: "ST6 repeated headers", send: after(st("SEND", "destination:a"+strings.Repeat("\ndestination:\xff", 90), ""), bye)},
	}},
}

// numbered repeats a frame with a number in it.
func numbered(n int, form string) (all string) {
	for i := range n {
		all += fmt.Sprintf(form, i)
	}
	return all
}
