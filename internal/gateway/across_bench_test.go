package gateway

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	amqp "github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// BenchmarkAcross sends messages of 64 bytes that nobody acknowledges from a client of one protocol to a client of
// another, and within each. They take turns, and the processor's time for each message is what counts; it contains the
// clients', which only write what was prepared and look for the end of each message.
func BenchmarkAcross(b *testing.B) {
	names := []string{"mqtt", "stomp", "amqp"}
	type way struct {
		name     string
		cpu      time.Duration
		pub, sub net.Conn
		burst    []byte
	}
	at := serve(b, names)
	var ways []*way
	for _, from := range names {
		for _, to := range names {
			topic := "site/" + from + "/" + to
			w := &way{name: from + "→" + to, pub: login(b, at, from), sub: login(b, at, to), burst: publishes(from, topic)}
			subscribe(b, w.sub, to, topic)
			ways = append(ways, w)
		}
	}
	const turn = 20_000
	n := 0
	for b.Loop() {
		for _, w := range ways {
			before := processor(b)
			transfer(b, w.pub, w.sub, w.burst, turn)
			w.cpu += processor(b) - before
		}
		n += turn
	}
	for _, w := range ways {
		b.ReportMetric(float64(w.cpu.Nanoseconds())/float64(n), w.name+"-cpu-ns/msg")
	}
}

// serve runs a gateway that serves protocols. It returns the address of each.
func serve(b *testing.B, protocols []string) map[string]string {
	text := "node: {data: memory}\nlisteners:\n"
	for _, p := range protocols {
		text += fmt.Sprintf("  - {url: \"%s://127.0.0.1:0\", anonymous: true}\n", p)
	}
	g := configured(b, text)
	at := map[string]string{}
	for _, l := range g.Listening() {
		scheme, address, _ := strings.Cut(l.URL, "://")
		at[scheme] = address
	}
	return at
}

// mark ends each payload of BenchmarkAcross.
var mark = []byte("\xff\xfe")

// login logs a client of a protocol in.
func login(b *testing.B, at map[string]string, protocol string) net.Conn {
	c, err := net.Dial("tcp", at[protocol])
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	switch protocol {
	case "mqtt":
		say(b, c, (&packet.Connect{Version: packet.V5, CleanStart: true}).AppendTo(nil, packet.V5), "\x20")
	case "stomp":
		say(b, c, []byte("CONNECT\naccept-version:1.2\nhost:/\n\n\x00"), "CONNECTED")
	case "amqp":
		say(b, c, []byte(amqp.ProtocolHeader), "PLAIN")
		say(b, c, amqp.AppendMethodFrame(nil, 0, &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"}), "\xce")
		in := amqp.AppendMethodFrame(nil, 0, &amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072})
		say(b, c, amqp.AppendMethodFrame(in, 0, &amqp.ConnectionOpen{VirtualHost: "/"}), "\xce")
		say(b, c, amqp.AppendMethodFrame(nil, 1, &amqp.ChannelOpen{}), "\xce")
	}
	return c
}

// subscribe subscribes a client to a topic.
func subscribe(b *testing.B, c net.Conn, protocol, topic string) {
	switch protocol {
	case "mqtt":
		s := packet.Subscribe{ID: 1}
		s.AppendFilter(topic, 0)
		say(b, c, s.AppendTo(nil, packet.V5), "\x90")
	case "stomp":
		say(b, c, []byte("SUBSCRIBE\nid:1\ndestination:/topic/"+topic+"\nreceipt:r\n\n\x00"), "RECEIPT")
	case "amqp":
		in := amqp.AppendMethodFrame(nil, 1, &amqp.QueueDeclare{Queue: topic, Exclusive: true, NoWait: true})
		in = amqp.AppendMethodFrame(in, 1, &amqp.QueueBind{Queue: topic, Exchange: "amq.topic", RoutingKey: key(topic), NoWait: true})
		say(b, c, amqp.AppendMethodFrame(in, 1, &amqp.BasicConsume{Queue: topic, ConsumerTag: "c", NoAck: true}), "\xce")
	}
}

// say sends bytes, and reads until an answer holds a text.
func say(b *testing.B, c net.Conn, in []byte, answer string) {
	if _, err := c.Write(in); err != nil {
		b.Fatal(err)
	}
	var got []byte
	for buf := make([]byte, 4096); !bytes.Contains(got, []byte(answer)); {
		n, err := c.Read(buf)
		if err != nil {
			b.Fatalf("%v after %q", err, got)
		}
		got = append(got, buf[:n]...)
	}
}

// key is the routing key of a topic.
func key(topic string) string { return strings.ReplaceAll(topic, "/", ".") }

// publishes is what a client sends to publish a burst of messages.
func publishes(protocol, topic string) (all []byte) {
	payload := append(bytes.Repeat([]byte("x"), 64-len(mark)), mark...)
	for range burst {
		switch protocol {
		case "mqtt":
			m := packet.Publish{Topic: []byte(topic), Payload: payload}
			all = m.AppendTo(all, packet.V5)
		case "stomp":
			all = fmt.Appendf(all, "SEND\ndestination:/topic/%s\ncontent-length:%d\n\n%s\x00", topic, len(payload), payload)
		case "amqp":
			all = amqp.AppendMethodFrame(all, 1, &amqp.BasicPublish{Exchange: []byte("amq.topic"), RoutingKey: []byte(key(topic))})
			h := amqp.Header{Class: 60, BodySize: uint64(len(payload))}
			all = amqp.AppendBody(h.AppendFrame(all, 1), 1, payload, 131072)
		}
	}
	return all
}

// transfer sends n messages and waits for all.
func transfer(b *testing.B, pub, sub net.Conn, all []byte, n int) {
	sent := make(chan error, 1)
	go func() {
		for range n / burst {
			if _, err := pub.Write(all); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	buf, last := make([]byte, 128<<10), byte(0)
	for got := 0; got < n; {
		k, err := sub.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		if got += bytes.Count(buf[:k], mark); last == mark[0] && buf[0] == mark[1] {
			got++
		}
		last = buf[k-1]
	}
	if err := <-sent; err != nil {
		b.Fatal(err)
	}
}
