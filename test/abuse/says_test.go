package abuse

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// The functions below tell in words what a server said, so that a row can be read. What cannot be parsed shows as "?".

// saysMQTT lists packets with their codes: "connack 00, disconnect 81".
func saysMQTT(b []byte) (list []string) {
	for len(b) > 0 {
		n, shift, head := 0, 0, 1
		for ; head < len(b) && head < 5; head++ {
			n |= int(b[head]&127) << shift
			shift += 7
			if b[head] < 128 {
				head++
				break
			}
		}
		if len(b) < head+n {
			return append(list, "?")
		}
		list = append(list, mqttPacket(b[0]>>4, b[head:head+n]))
		b = b[head+n:]
	}
	return list
}

func mqttPacket(ty byte, body []byte) string {
	name := [16]string{2: "connack", 3: "publish", 4: "puback", 5: "pubrec", 6: "pubrel", 7: "pubcomp", 9: "suback", 11: "unsuback", 13: "pingresp", 14: "disconnect"}[ty]
	code := -1 // where the reason code is
	switch name {
	case "connack":
		code = 1
	case "puback", "pubrec", "pubrel", "pubcomp":
		code = 2
	case "suback", "unsuback":
		code = len(body) - 1 // of the last filter
	case "disconnect":
		code = 0
	case "":
		return "?"
	}
	switch {
	case code < 0:
		return name
	case code >= len(body):
		return name + " 00"
	}
	return fmt.Sprintf("%s %02x", name, body[code])
}

// saysSTOMP lists frames; of an ERROR the message: "CONNECTED, ERROR Bad command".
func saysSTOMP(b []byte) (list []string) {
	for {
		if b = bytes.TrimLeft(b, "\r\n"); len(b) == 0 {
			return list
		}
		head, rest, ok := bytes.Cut(b, []byte("\n\n"))
		if !ok {
			return append(list, "?")
		}
		command, headers, _ := strings.Cut(string(head), "\n")
		body := bytes.IndexByte(rest, 0)
		word := command
		for _, h := range strings.Split(headers, "\n") {
			name, value, _ := strings.Cut(h, ":")
			switch {
			case name == "message" && command == "ERROR", name == "receipt-id" && command == "RECEIPT":
				word += " " + value
			case name == "content-length":
				fmt.Sscan(value, &body)
			}
		}
		list = append(list, word)
		if body < 0 || body >= len(rest) {
			return append(list, "?")
		}
		b = rest[body+1:]
	}
}

// saysAMQP lists methods by their numbers; of a close the code: "10.10, 10.30, close 501".
func saysAMQP(b []byte) (list []string) {
	for len(b) > 0 {
		if bytes.HasPrefix(b, []byte(amqpHeader)) {
			list, b = append(list, "header"), b[8:]
			continue
		}
		n := 0
		if len(b) >= 8 {
			n = int(binary.BigEndian.Uint32(b[3:]))
		}
		if len(b) < 12 || len(b) < n+8 || b[n+7] != 0xce {
			return append(list, "?")
		}
		p := b[7 : n+7]
		word := fmt.Sprintf("%d.%d", binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:]))
		switch {
		case b[0] != 1:
			word = fmt.Sprintf("frame %d", b[0])
		case word == "10.50":
			word = fmt.Sprintf("close %d", binary.BigEndian.Uint16(p[4:]))
		case word == "20.40":
			word = fmt.Sprintf("channel.close %d", binary.BigEndian.Uint16(p[4:]))
		}
		list, b = append(list, word), b[n+8:]
	}
	return list
}

// saysHTTP tells the status: "400".
func saysHTTP(b []byte) (list []string) {
	for {
		_, rest, ok := bytes.Cut(b, []byte("HTTP/1.1 "))
		if !ok || len(rest) < 3 {
			return list
		}
		list, b = append(list, string(rest[:3])), rest
	}
}

// saysWS tells the frames: "close 1002".
func saysWS(b []byte) (list []string) {
	for len(b) > 1 {
		n := int(b[1])
		if n > 125 || len(b) < n+2 {
			return append(list, "?")
		}
		word := fmt.Sprintf("frame %x", b[0]&15)
		if b[0]&15 == 8 && n >= 2 {
			word = fmt.Sprintf("close %d", binary.BigEndian.Uint16(b[2:]))
		}
		list, b = append(list, word), b[n+2:]
	}
	return list
}

// saysCoAP tells type and code of one message: "rst", "4.02".
func saysCoAP(b []byte) string {
	if len(b) < 4 {
		return "?"
	}
	if b[1] == 0 {
		return [4]string{"ping", "?", "ack", "rst"}[b[0]>>4&3]
	}
	return fmt.Sprintf("%d.%02d", b[1]>>5, b[1]&31)
}

// saysSN tells type and return code of one packet: "connack 03".
func saysSN(b []byte) string {
	if len(b) < 2 || int(b[0]) != len(b) {
		return "?"
	}
	name := map[byte]string{0x02: "gwinfo", 0x05: "connack", 0x06: "willtopicreq", 0x08: "willmsgreq", 0x0a: "register", 0x0b: "regack", 0x0c: "publish",
		0x0d: "puback", 0x0e: "pubcomp", 0x0f: "pubrec", 0x10: "pubrel", 0x13: "suback", 0x15: "unsuback", 0x17: "pingresp", 0x18: "disconnect",
		0x1b: "willtopicresp", 0x1d: "willmsgresp", 0xfe: "forwarded"}[b[1]]
	switch b[1] {
	case 0x05, 0x0b, 0x0d, 0x13, 0x1b, 0x1d:
		return fmt.Sprintf("%s %02x", name, b[len(b)-1])
	case 0:
		return "?"
	}
	return name
}

// says tells what a stream said, by the surface it was read from.
func says(on string, b []byte) []string {
	switch on {
	case "mqtt", "mqtt-ws":
		return saysMQTT(b)
	case "stomp", "stomp-ws":
		return saysSTOMP(b)
	case "amqp":
		return saysAMQP(b)
	case "ws-mqtt", "ws-stomp":
		return saysWS(b)
	}
	return saysHTTP(b)
}
