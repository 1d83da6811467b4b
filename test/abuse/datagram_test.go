package abuse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/rig"
)

// A gram is a row of a datagram listener: what is sent from one address, and what is answered.
type gram struct {
	id    string
	hello []string // each is answered before the next is sent
	send  []string
	want  string // the answers, "" for silence
	moved string
}

type endpoint struct {
	on          string
	rows        []gram
	last, reply string
	says        func([]byte) string
}

// endpoints are the datagram listeners: a question that is always answered marks the end of a row, so that silence can be
// told from slowness.
var endpoints = []endpoint{
	{"coap", coapRows, co(0x40, 0, 0xfffe, ""), co(0x70, 0, 0xfffe, ""), saysCoAP},
	{"mqttsn", snRows, sn(1, "\x00"), sn(2, "\x01"), saysSN},
}

func endpointOf(on string) endpoint {
	for _, e := range endpoints {
		if e.on == on {
			return e
		}
	}
	panic(on)
}

func (g *target) datagrams(t *testing.T, p *pulse) {
	before := g.Metrics()
	for _, e := range endpoints {
		for _, r := range e.rows {
			t.Run(e.on+"/"+strings.ReplaceAll(r.id, " ", "_"), func(t *testing.T) {
				got, err := g.exchange(e.on, r, e.last, e.reply, e.says)
				if err != nil || got != r.want {
					t.Errorf("it said %q, %v; want %q", got, err, r.want)
				}
				if r.moved != "" {
					if err := rig.Until(r.moved, func() bool { return g.Metrics().Sum(r.moved) > before.Sum(r.moved) }); err != nil {
						t.Error(err)
					}
				}
				if err := p.beat(); err != nil {
					t.Fatal(err)
				}
			})
			before = g.sane(t, r.moved != "")
		}
	}
}

// exchange plays a row and returns the answers in words.
func (g *target) exchange(on string, r gram, last, reply string, says func([]byte) string) (string, error) {
	return g.exchangeFor(on, r, last, reply, says, rig.Patience)
}

func (g *target) exchangeFor(on string, r gram, last, reply string, says func([]byte) string, wait time.Duration) (string, error) {
	c, err := datagrams(g.At[on])
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(wait))
	buf := make([]byte, 64<<10)
	for _, h := range r.hello {
		if _, err := c.Write([]byte(h)); err != nil {
			return "", err
		}
		if _, err := c.Read(buf); err != nil {
			return "hello", err
		}
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, s := range append(r.send[:len(r.send):len(r.send)], last) {
			c.Write([]byte(s)) // what is lost shows in the answers
		}
	}()
	defer func() { <-sent }()
	var list []string
	for ended := false; !ended || len(list) < strings.Count(r.want, ",")+1 && r.want != ""; {
		n, err := c.Read(buf)
		switch {
		case err != nil:
			return strings.Join(list, ", "), err
		case !ended && bytes.Equal(buf[:n], []byte(reply)):
			ended = true
		default:
			list = append(list, says(buf[:n]))
		}
	}
	return strings.Join(list, ", "), nil
}

// options writes CoAP options: number and value in turn, in ascending order.
func options(list ...any) (all string) {
	last := 0
	for i := 0; i < len(list); i += 2 {
		n, v := list[i].(int), list[i+1].(string)
		d, de := nibble(n - last)
		l, le := nibble(len(v))
		all += octet(d<<4|l) + de + le + v
		last = n
	}
	return all
}

func nibble(n int) (byte, string) {
	switch {
	case n < 13:
		return byte(n), ""
	case n < 269:
		return 13, octet(byte(n - 13))
	default:
		return 14, u16(n - 269)
	}
}

// ps is the path of a topic of two levels.
func ps(rest ...any) string {
	return options(append([]any{11, "ps", 11, "abuse"}, rest...)...)
}

func many(n int, f func(i int) string) (all []string) {
	for i := range n {
		all = append(all, f(i))
	}
	return all
}

func one(s string) []string { return []string{s} }

// body is the first block of a message, observation a GET that observes.
func body(i int) string {
	return co(0x40, 3, i, options(11, "ps", 11, fmt.Sprint("abuse", i), 27, "\x0e")+"\xff"+strings.Repeat("x", 1024))
}

func observation(i int) string {
	return co(0x42, 1, i, u16(i)+options(6, "", 11, "ps", 11, "quiet"))
}

var coapRows = []gram{
	{id: "K4a nothing", send: one(""), moved: "coap_malformed"},
	{id: "K4a one byte", send: one("\x40"), moved: "coap_malformed"},
	{id: "K4a three bytes", send: one("\x40\x01\x00"), moved: "coap_malformed"},
	{id: "K4a version 0, 2, 3", send: []string{co(0x00, 1, 1, ""), co(0x80, 1, 2, ""), co(0xc0, 1, 3, "")}, moved: "coap_malformed"},
	{id: "K4a token length 9 to 15, CON", send: many(7, func(i int) string { return co(0x49+byte(i), 1, i, strings.Repeat("t", 15)) }), want: "rst, rst, rst, rst, rst, rst, rst", moved: "coap_malformed"},
	{id: "K4a token length 9 to 15, NON", send: many(7, func(i int) string { return co(0x59+byte(i), 1, i, strings.Repeat("t", 15)) }), moved: "coap_malformed"},
	{id: "K4a token past the end", send: one(co(0x48, 1, 1, "abc")), want: "rst", moved: "coap_malformed"},
	{id: "K4a option delta 15", send: one(co(0x40, 1, 1, "\xf0")), want: "rst", moved: "coap_malformed"},
	{id: "K4a option length 15", send: one(co(0x40, 1, 1, "\x0f")), want: "rst", moved: "coap_malformed"},
	{id: "K4a option past the end", send: one(co(0x40, 1, 1, "\xb9ps")), want: "rst", moved: "coap_malformed"},
	{id: "K4a marker without payload", send: one(co(0x40, 3, 1, ps()+"\xff")), want: "rst", moved: "coap_malformed"},
	{id: "K4a marker without payload, NON", send: one(co(0x50, 3, 1, ps()+"\xff")), moved: "coap_malformed"},
	{id: "G5 empty message with a token", send: one(co(0x41, 0, 1, "t")), want: "rst", moved: "coap_malformed"},
	{id: "G6 code class 1, 6, 7", send: []string{co(0x40, 0x21, 1, ""), co(0x40, 0xc1, 2, ""), co(0x40, 0xe1, 3, "")}, want: "rst, rst, rst", moved: "coap_malformed"},
	{id: "M12 response out of nowhere", send: []string{co(0x40, 0x45, 1, ""), co(0x50, 0x45, 2, ""), co(0x60, 0x45, 3, ""), co(0x70, 0, 4, "")}, want: "rst"},
	{id: "M13 unknown method", send: one(co(0x40, 0x1f, 1, ps())), want: "4.05"},
	{id: "M15 unknown path", send: one(co(0x40, 1, 1, options(11, "nowhere"))), want: "4.04"},
	{id: "M15 no path", send: one(co(0x40, 1, 1, "")), want: "4.04"},
	{id: "K4d unknown critical option", send: one(co(0x40, 1, 1, ps(2049, "x"))), want: "4.02"},
	{id: "K4d unknown critical option, NON", send: one(co(0x50, 1, 1, ps(2049, "x")))},
	{id: "K4d two If-None-Match", send: one(co(0x40, 3, 1, options(5, "", 5, "", 11, "ps", 11, "abuse"))), want: "4.02"},
	{id: "K4d Proxy-Uri", send: one(co(0x40, 1, 1, ps(35, "coap://evil/"))), want: "5.05"},
	{id: "S9 OSCORE", send: one(co(0x40, 1, 1, options(9, "x", 11, "ps"))), want: "4.02"},
	{id: "G4 Accept of three octets", send: one(co(0x40, 1, 1, ps(17, "abc"))), want: "4.02"},
	{id: "G8 path that is not UTF-8", send: one(co(0x40, 2, 1, options(11, "ps", 11, "a\xff"))), want: "4.00"},
	{id: "G11 65 options", send: one(co(0x40, 2, 1, strings.Repeat("\xb0", 1)+strings.Repeat("\x01a", 65))), want: "4.00"},
	{id: "G11 1000 options, NON", send: one(co(0x50, 2, 1, "\xb2ps"+strings.Repeat("\x01a", 1000)))},
	{id: "G4 path of 300 octets", send: one(co(0x40, 2, 1, options(11, "ps", 11, strings.Repeat("a", 300)))), want: "4.02"},
	{id: "P1d CR LF in a path", send: one(co(0x40, 2, 1, options(11, "ps", 11, "a\r\nb"))), want: "4.00"},
	{id: "P1d U+0085 in a path", send: one(co(0x40, 2, 1, options(11, "ps", 11, "a\u0085b"))), want: "4.00"},
	{id: "P1d wildcard in POST", send: one(co(0x40, 2, 1, options(11, "ps", 11, "+"))), want: "4.00"},
	{id: "P1d # in the middle of an observation", send: one(co(0x41, 1, 1, "t"+options(6, "", 11, "ps", 11, "#", 11, "b"))), want: "4.00"},
	{id: "P10 NUL in a path", send: one(co(0x40, 2, 1, options(11, "ps", 11, "a\x00"))), want: "4.00"},
	{id: "E8 $SYS", send: one(co(0x40, 2, 1, options(11, "ps", 11, "$SYS", 11, "x"))), want: "4.03"},
	{id: "O4 observation without token", send: one(co(0x40, 1, 1, options(6, "", 11, "ps", 11, "abuse"))), want: "4.00"},
	{id: "R11 bad query", send: one(co(0x40, 2, 1, ps(15, "qos=7"))), want: "4.00"},
	{id: "K4b block of size 7", send: []string{co(0x40, 3, 1, ps(27, "\x0f")), co(0x40, 1, 2, ps(23, "\x0f"))}, want: "4.00, 4.00"},
	{id: "K4b block number beyond the end", send: []string{co(0x40, 1, 1, options(11, ".well-known", 11, "core", 23, "\xff\xff\xf6"))}, want: "4.00"},
	{id: "K4b gap", send: one(co(0x40, 3, 1, ps(27, "\x5e")+"\xff"+strings.Repeat("x", 1024))), want: "4.08", moved: "coap_block_errors"},
	{id: "B4 block that is not full", send: one(co(0x40, 3, 1, ps(27, "\x0e")+"\xffx")), want: "4.00", moved: "coap_block_errors"},
	{id: "B5 4 GiB announced", send: one(co(0x40, 3, 1, ps(27, "\x0e", 60, "\xff\xff\xff\xff")+"\xff"+strings.Repeat("x", 1024))), want: "4.13", moved: "coap_block_errors"},
	{id: "K4b bodies never finished", hello: many(16, body), send: many(20, func(i int) string { return body(100 + i) }),
		want: "5.03" + strings.Repeat(", 5.03", 19), moved: "coap_block_errors"},
	{id: "K4c observations above the limit", hello: many(256, observation), send: many(20, func(i int) string { return observation(1000 + i) }),
		want: "2.05" + strings.Repeat(", 2.05", 19)},
	{id: "K4c one message 50 times", send: many(50, func(int) string { return co(0x40, 2, 7, ps()+"\xffx") }),
		want: strings.TrimPrefix(strings.Repeat(", 2.04", 50), ", "), moved: "coap_duplicates con"},
	{id: "E9 path with dots", send: one(co(0x40, 3, 1, options(11, "ps", 11, "..", 11, "..", 11, "etc"))), want: "2.04"},
	{id: "K5 flood of pings", send: many(100, func(i int) string { return co(0x40, 0, i, "") }), want: "rst" + strings.Repeat(", rst", 99)},
}

// snHello connects.
var snHello = one(sn(4, "\x04\x01\x00\x3cabuse"))

var snRows = []gram{
	{id: "K3a nothing", send: one(""), moved: "mqttsn_malformed length"},
	{id: "K3a one byte", send: one("\x00"), moved: "mqttsn_malformed length"},
	{id: "K3a 01", send: one("\x01"), moved: "mqttsn_malformed length"},
	{id: "K3a 01 00 02", send: one("\x01\x00\x02"), moved: "mqttsn_malformed length"},
	{id: "K3a 01 00 00", send: one("\x01\x00\x00"), moved: "mqttsn_malformed length"},
	{id: "K3a 01 00 03 without type", send: one("\x01\x00\x03"), moved: "mqttsn_malformed length"},
	{id: "K3a length 0", send: one("\x00\x04\x04\x01"), moved: "mqttsn_malformed length"},
	{id: "K3a ones", send: one(strings.Repeat("\xff", 1000)), moved: "mqttsn_malformed length"},
	{id: "K3a 65,535 announced", send: one("\x01\xff\xff\x0cabc"), moved: "mqttsn_malformed length"},
	{id: "K3a trailing bytes", send: one(sn(4, "\x04\x01\x00\x3ca") + "x"), moved: "mqttsn_malformed length"},
	{id: "W6 two packets", send: one(sn(0x16, "") + sn(0x16, "")), moved: "mqttsn_malformed length"},
	{id: "X2 reserved types", send: []string{sn(0x03, "abc"), sn(0x11, "abc"), sn(0x19, "abc"), sn(0x80, "abc"), sn(0xff, "abc")}, moved: "mqttsn_malformed"},
	{id: "X3 CONNECT cut short", send: []string{sn(4, ""), sn(4, "\x04"), sn(4, "\x04\x01"), sn(4, "\x04\x01\x00")}, moved: "mqttsn_malformed"},
	{id: "C5 another protocol", send: one(sn(4, "\x04\x07\x00\x3cabuse")), want: "connack 03"},
	{id: "C6 no client id", send: one(sn(4, "\x04\x01\x00\x3c")), want: "connack 03"},
	{id: "C17 client id of 200 octets", send: one(sn(4, "\x04\x01\x00\x3c"+strings.Repeat("a", 200))), want: "connack 03"},
	{id: "P1h client id with wildcards", send: one(sn(4, "\x04\x01\x00\x3ca/+/#")), want: "connack 03"},
	{id: "P1h client id with CR LF", send: one(sn(4, "\x04\x01\x00\x3ca\r\nb")), want: "connack 03"},
	{id: "W5 client id that is not UTF-8", send: one(sn(4, "\x04\x01\x00\x3ca\xff")), moved: "mqttsn_malformed utf8"},
	{id: "X1 packets without a session", send: []string{sn(0x0a, "\x00\x00\x00\x01a"), sn(0x12, "\x00\x00\x01a"), sn(0x18, ""), sn(0x0c, "\x00\x00\x01\x00\x01x")}, want: "disconnect, disconnect, disconnect, disconnect", moved: "mqttsn_unsolicited"},
	{id: "X1 answers without a question", send: []string{sn(0x05, "\x00"), sn(0x13, "\x00\x00\x01\x00\x01\x00"), sn(0x15, "\x00\x01"), sn(0x17, ""), sn(2, "\x01"), sn(0, "\x01\x00\x01")}},
	{id: "K11 wake of nobody", send: one(sn(0x16, "nobody")), want: "disconnect"},
	{id: "K3b QoS -1 with an unknown id", send: one(sn(0x0c, "\x60\x12\x34\x00\x00x")), want: "puback 02"},
	{id: "K3b QoS -1 with a wildcard", send: one(sn(0x0c, "\x62a+\x00\x00x")), want: "puback 03"},
	{id: "K3b QoS -1 with a control character", send: one(sn(0x0c, "\x62a\x01\x00\x00x")), want: "puback 03"},
	{id: "K3b QoS -1 with the reserved type", send: one(sn(0x0c, "\x63ab\x00\x00x")), want: "puback 03"},
	{id: "K3b unknown id", hello: snHello, send: []string{sn(0x0c, "\x00\x12\x34\x00\x00x"), sn(0x0c, "\x20\x12\x34\x00\x01x"), sn(0x0c, "\x21\x00\x07\x00\x01x")}, want: "puback 02, puback 02, puback 02", moved: "mqttsn_negative_acks"},
	{id: "P7 reserved topic type", hello: snHello, send: one(sn(0x0c, "\x23ab\x00\x01x")), want: "puback 03"},
	{id: "P16 QoS 1 without id", hello: snHello, send: one(sn(0x0c, "\x22ab\x00\x00x")), want: "puback 03"},
	{id: "P6 wildcard in a short name", hello: snHello, send: one(sn(0x0c, "\x22a#\x00\x01x")), want: "puback 03"},
	{id: "P1d control character in a short name", hello: snHello, send: one(sn(0x0c, "\x22a\x01\x00\x01x")), want: "puback 03"},
	{id: "R3 names that cannot be registered", hello: snHello, send: []string{sn(0x0a, "\x00\x00\x00\x01a/+"), sn(0x0a, "\x00\x00\x00\x02a/#"), sn(0x0a, "\x00\x00\x00\x03a\r\nb"), sn(0x0a, "\x00\x00\x00\x04")}, want: "regack 03, regack 03, regack 03, regack 03"},
	{id: "R3 name that is not UTF-8", hello: snHello, send: one(sn(0x0a, "\x00\x00\x00\x01a\xff")), moved: "mqttsn_malformed utf8"},
	{id: "L28 129 registrations", hello: snHello, send: many(129, func(i int) string {
		return sn(0x0a, "\x00\x00"+u16(i+1)+"abuse/"+string(rune('a'+i%26))+string(rune('A'+i/26)))
	}),
		want: strings.Repeat("regack 00, ", 128) + "regack 03"},
	{id: "S14 129 subscriptions", hello: snHello, send: many(129, func(i int) string {
		return sn(0x12, "\x00"+u16(i+1)+"abuse/+/"+string(rune('a'+i%26))+string(rune('A'+i/26)))
	}),
		want: strings.Repeat("suback 00, ", 128) + "suback 01"},
	{id: "S13 filters that are none", hello: snHello, send: []string{sn(0x12, "\x00\x00\x01a#"), sn(0x12, "\x00\x00\x02a/#/b"), sn(0x12, "\x00\x00\x03$share//a"), sn(0x12, "\x00\x00\x04a\x01b")}, want: "suback 03, suback 03, suback 03, suback 03"},
	{id: "S4 unknown predefined id", hello: snHello, send: one(sn(0x12, "\x01\x00\x01\x00\x07")), want: "suback 02"},
	{id: "S5 reserved topic type", hello: snHello, send: one(sn(0x12, "\x03\x00\x01ab")), want: "suback 03"},
	{id: "S10 unsubscribe from nothing", hello: snHello, send: one(sn(0x14, "\x00\x00\x01nothing")), want: "unsuback"},
	{id: "P3 PUBREL of nothing", hello: snHello, send: one(sn(0x10, "\x00\x09")), want: "pubcomp"},
	{id: "O8 acknowledgements of nothing", hello: snHello, send: []string{sn(0x0d, "\x00\x01\x00\x09\x00"), sn(0x0e, "\x00\x09"), sn(0x0f, "\x00\x09"), sn(0x0b, "\x00\x01\x00\x09\x00")}, want: "pubrel"},
	{id: "U2 will message without will", hello: snHello, send: one(sn(0x1c, "x")), want: "willmsgresp 03"},
	{id: "U3 will to a wildcard", hello: snHello, send: one(sn(0x1a, "\x00a/#")), want: "willtopicresp 03"},
	{id: "C4 will to a wildcard", hello: one(sn(4, "\x0c\x01\x00\x3cabuse")), send: []string{sn(7, "\x00a/#")}, want: "connack 03"},
	{id: "C9 PUBLISH inside the handshake", hello: one(sn(4, "\x0c\x01\x00\x3cabuse")), send: []string{sn(0x0c, "\x02ab\x00\x00x")}, want: "disconnect"},
	{id: "C9 WILLMSG before WILLTOPIC", hello: one(sn(4, "\x0c\x01\x00\x3cabuse")), send: []string{sn(9, "x")}, want: "disconnect"},
	{id: "V1 CONNECT of 2.0", send: one("\x0a\x01\x00\x02\x00\x3c\x00\x00ab"), want: "connack 03", moved: "protocol_errors mqttsn version_2"},
	{id: "K3e encapsulation in itself", send: one("\x05\xfe\x00ab" + "\x05\xfe\x00cd" + sn(1, "\x00")), moved: "mqttsn_malformed forwarder"},
	{id: "K3e nothing inside", send: one("\x05\xfe\x00ab"), moved: "mqttsn_malformed forwarder"},
	{id: "K3e longer than the datagram", send: one("\xc8\xfe\x00ab"), moved: "mqttsn_malformed"},
	{id: "flood of pings", hello: snHello, send: many(100, func(int) string { return sn(0x16, "") }), want: "pingresp" + strings.Repeat(", pingresp", 99)},
}
