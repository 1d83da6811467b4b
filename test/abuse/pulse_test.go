package abuse

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/test/rig"
)

// healthy is a well-behaved client of one surface: it subscribes to the topic "pu" and publishes to it.
type healthy struct {
	on        string
	hello     []string // sent in turn; what is answered must hold the text behind it
	publish   func(payload string) string
	connected string // in the answer to the last step
	datagram  bool
}

var surfaces = []healthy{
	{on: "mqtt", hello: []string{connect5("healthy", ""), mq(0x82, "\x00\x01\x00"+text("pu")+"\x00")}, connected: "\x90\x04\x00\x01\x00\x00",
		publish: func(p string) string { return mq(0x30, text("pu")+"\x00"+p) }},
	{on: "mqtt-ws", hello: []string{connect4("healthy-ws"), mq(0x82, "\x00\x01"+text("pu")+"\x00")}, connected: "\x90\x03\x00\x01\x00",
		publish: func(p string) string { return mq(0x30, text("pu")+p) }},
	{on: "stomp", hello: []string{stompConnect, "SUBSCRIBE\nid:1\ndestination:pu\nreceipt:r\n\n\x00"}, connected: "receipt-id:r",
		publish: func(p string) string { return "SEND\ndestination:pu\n\n" + p + "\x00" }},
	{on: "stomp-ws", hello: []string{stompConnect, "SUBSCRIBE\nid:1\ndestination:pu\nreceipt:r\n\n\x00"}, connected: "receipt-id:r",
		publish: func(p string) string { return "SEND\ndestination:pu\n\n" + p + "\x00" }},
	{on: "amqp", hello: []string{amqp, channel + method(1, 50, 10, u16(0)+short("")+"\x0c"+u32(0)) +
		method(1, 50, 20, u16(0)+short("")+short("amq.topic")+short("pu")+"\x00"+u32(0)) +
		method(1, 60, 20, u16(0)+short("")+short("c")+"\x02"+u32(0))}, connected: "\x00\x3c\x00\x15\x01c",
		publish: func(p string) string {
			return method(1, 60, 40, u16(0)+short("amq.topic")+short("pu")+"\x00") + content(1, p)
		}},
	{on: "coap", datagram: true, hello: []string{co(0x41, 1, 1, "t\x60\x52ps\x02pu")}, connected: "t",
		publish: func(p string) string { return co(0x50, 2, next(), "\xb2ps\x02pu\xff"+p) }},
	{on: "mqttsn", datagram: true, hello: []string{sn(4, "\x04\x01\xff\xffhealthy-sn"), sn(0x12, "\x02\x00\x01pu")}, connected: "\x08\x13",
		publish: func(p string) string { return sn(0x0c, "\x02pu\x00\x00"+p) }},
}

var messageID atomic.Uint32

// next is a message id of CoAP that was not used yet.
func next() int { return 100 + int(messageID.Add(1)) }

// pulse are healthy clients, one for each surface, that stay connected through everything.
type pulse struct {
	g       *target
	clients []*patient
	beats   int
}

// patient is one healthy client that is connected.
type patient struct {
	healthy
	conn   net.Conn
	send   func(string) error
	heard  chan []byte // what it read
	unread []byte
	passed []byte // what came before the text that was awaited last
}

func (g *target) pulse(except ...string) *pulse {
	g.Helper()
	p := &pulse{g: g}
	for _, h := range surfaces {
		if slices.Contains(except, h.on) {
			continue
		}
		c, err := g.admit(h)
		if err != nil {
			g.Fatalf("%s: a healthy client is not served: %v", h.on, err)
		}
		p.clients = append(p.clients, c)
	}
	return p
}

// admit connects a healthy client and subscribes.
func (g *target) admit(h healthy) (*patient, error) {
	c := &patient{healthy: h, heard: make(chan []byte, 1024)}
	read := func(b []byte) (int, error) { return c.conn.Read(b) }
	if h.datagram {
		nc, err := datagrams(g.At[h.on])
		if err != nil {
			return nil, err
		}
		c.conn, c.send = nc, func(b string) error { _, err := nc.Write([]byte(b)); return err }
	} else {
		s, err := g.dial(h.on)
		if err != nil {
			return nil, err
		}
		s.SetDeadline(time.Time{})
		c.conn, c.send, read = s, s.send, s.read
	}
	go func() {
		defer close(c.heard)
		for buf := make([]byte, 64<<10); ; {
			n, err := read(buf)
			if n > 0 {
				c.heard <- bytes.Clone(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	for i, step := range h.hello {
		if err := c.send(step); err != nil {
			return c, err
		}
		want := ""
		if i == len(h.hello)-1 {
			want = h.connected
		}
		if err := c.await(want); err != nil {
			return c, err
		}
	}
	return c, nil
}

// await reads until the text has come. What came before it is passed.
func (c *patient) await(text string) error { return c.awaitFor(text, rig.Patience) }

func (c *patient) awaitFor(text string, wait time.Duration) error {
	end := time.After(wait)
	for first := true; ; first = false {
		if i := strings.Index(string(c.unread), text); i >= 0 && (text != "" || !first) {
			c.passed, c.unread = c.unread[:i], c.unread[i+len(text):]
			return nil
		}
		select {
		case b, ok := <-c.heard:
			if !ok {
				return fmt.Errorf("%s: the connection ended before %q, after %s", c.on, text, brief(string(c.unread)))
			}
			c.unread = append(c.unread, b...)
		case <-end:
			return fmt.Errorf("%s: %q did not come, only %s", c.on, text, brief(string(c.unread)))
		}
	}
}

// beat lets the next client publish; all must receive it, across all protocols. A datagram to a socket that is flooded may
// be lost in the kernel; so who publishes by datagrams does so again until the first has it, as a client would.
func (p *pulse) beat() error {
	p.beats++
	from := p.clients[p.beats%len(p.clients)]
	payload := fmt.Sprintf("beat-%06d.", p.beats)
	said, wait, tries := from.publish(payload), rig.Patience, 1
	if from.datagram {
		wait, tries = time.Second, int(rig.Patience/time.Second)
	}
	for i, c := range p.clients {
		err := error(nil)
		for range tries {
			if i == 0 {
				if err := from.send(said); err != nil {
					return fmt.Errorf("%s cannot publish: %w", from.on, err)
				}
			}
			if err = c.awaitFor(payload, wait); err == nil {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("published by %s: %w", from.on, err)
		}
	}
	return nil
}

// admits checks that every listener still takes new clients, which then publish and receive.
func (p *pulse) admits() error {
	fresh := &pulse{g: p.g, beats: p.beats}
	defer fresh.close()
	for _, c := range p.clients {
		h := c.healthy
		h.hello = append([]string{strings.ReplaceAll(h.hello[0], "healthy", "newborn")}, h.hello[1:]...)
		c, err := p.g.admit(h)
		if c != nil {
			fresh.clients = append(fresh.clients, c)
		}
		if err != nil {
			return fmt.Errorf("%s: a new client is not served: %w", h.on, err)
		}
	}
	return fresh.beat()
}

func (p *pulse) close() {
	for _, c := range p.clients {
		if c.on == "mqttsn" {
			c.send(sn(0x18, ""))
		}
		c.conn.Close()
		for range c.heard { // until its reader has ended
		}
	}
}
