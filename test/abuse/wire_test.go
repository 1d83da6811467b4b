package abuse

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
)

// What follows writes packets by hand, on purpose: nothing of the codecs under test helps.

func u16(n int) string { return string(binary.BigEndian.AppendUint16(nil, uint16(n))) }
func u32(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }
func u64(n uint64) string {
	return string(binary.BigEndian.AppendUint64(nil, n))
}

// octet is one byte.
func octet(b byte) string { return string([]byte{b}) }

// text is a string with its length in two octets, as MQTT has it.
func text(s string) string { return u16(len(s)) + s }

// short and long are AMQP's strings.
func short(s string) string { return octet(byte(len(s))) + s }
func long(s string) string  { return u32(len(s)) + s }

// bytesOf reads hexadecimal digits; spaces do not count.
func bytesOf(digits string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// varint is MQTT's variable byte integer.
func varint(n int) string {
	var b []byte
	for n > 127 {
		b = append(b, byte(n)|128)
		n >>= 7
	}
	return string(append(b, byte(n)))
}

// mq is an MQTT packet.
func mq(first byte, body string) string { return octet(first) + varint(len(body)) + body }

// connect5 is a CONNECT of MQTT 5.0 with clean start; p are its properties.
func connect5(id, p string) string {
	return mq(0x10, "\x00\x04MQTT\x05\x02\x00\x00"+varint(len(p))+p+text(id))
}

func connect4(id string) string { return mq(0x10, "\x00\x04MQTT\x04\x02\x00\x00"+text(id)) }

// frame is an AMQP frame.
func frame(ty byte, channel int, payload string) string {
	return octet(ty) + u16(channel) + u32(len(payload)) + payload + "\xce"
}

// method is an AMQP method frame.
func method(channel, class, id int, arguments string) string {
	return frame(1, channel, u16(class)+u16(id)+arguments)
}

// content are the header and body frames of an AMQP message without properties.
func content(channel int, body string) string {
	return frame(2, channel, u16(60)+u16(0)+u64(uint64(len(body)))+u16(0)) + frame(3, channel, body)
}

const amqpHeader = "AMQP\x00\x00\x09\x01"

// The steps of AMQP's handshake.
var (
	startOk = method(0, 10, 11, u32(0)+short("PLAIN")+long("\x00guest\x00guest")+short("en_US"))
	tuneOk  = method(0, 10, 31, u16(2047)+u32(131072)+u16(0))
	openOk  = method(0, 10, 40, short("/")+short("")+"\x00")
	channel = method(1, 20, 10, short(""))
	closing = method(0, 10, 50, u16(200)+short("bye")+u16(0)+u16(0))
	amqp    = amqpHeader + startOk + tuneOk + openOk
)

const stompConnect = "CONNECT\naccept-version:1.2\nhost:x\n\n\x00"

// sn is an MQTT-SN packet.
func sn(ty byte, body string) string {
	if n := len(body) + 2; n < 256 {
		return string([]byte{byte(n), ty}) + body
	}
	return "\x01" + u16(len(body)+4) + octet(ty) + body
}

// co is a CoAP message: type and token length, code, id, what follows.
func co(first, code byte, id int, rest string) string {
	return string([]byte{first, code}) + u16(id) + rest
}

// ws is a WebSocket frame from a client, masked with zeros.
func ws(first byte, payload string) string {
	switch n := len(payload); {
	case n < 126:
		return string([]byte{first, 0x80 | byte(n)}) + "\x00\x00\x00\x00" + payload
	case n < 65536:
		return string([]byte{first, 0x80 | 126}) + u16(n) + "\x00\x00\x00\x00" + payload
	default:
		return string([]byte{first, 0x80 | 127}) + u64(uint64(n)) + "\x00\x00\x00\x00" + payload
	}
}

// upgrade is the request that opens a WebSocket.
func upgrade(path, sub string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + sub + "\r\n\r\n"
}

func brief(b string) string {
	if len(b) > 80 {
		return fmt.Sprintf("%q... (%d bytes)", b[:80], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// ports are the local ports of datagrams, each used once: who comes by the port of somebody before is the same endpoint for
// CoAP, and may be answered as a repetition of what that one said.
var ports atomic.Uint32

// datagrams opens a socket towards an address.
func datagrams(at string) (net.Conn, error) {
	to, err := net.ResolveUDPAddr("udp", at)
	if err != nil {
		return nil, err
	}
	for range 100 {
		from := &net.UDPAddr{Port: 10_000 + int(ports.Add(1)%50_000)}
		var c *net.UDPConn
		if c, err = net.DialUDP("udp", from, to); err == nil {
			return c, nil
		}
	}
	return nil, err
}
