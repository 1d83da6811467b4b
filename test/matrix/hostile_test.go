package matrix

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/test/script"
)

// hostile are openings that no protocol allows, or that only one does.
var hostile = map[string][]byte{
	"zeros":               make([]byte, 4096),
	"ones":                bytes.Repeat([]byte{0xff}, 4096),
	"http":                []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	"tls":                 {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03},
	"mqtt length":         {0x10, 0xff, 0xff, 0xff, 0x7f, 0, 4, 'M', 'Q', 'T', 'T', 5},
	"mqtt bad varint":     {0x10, 0xff, 0xff, 0xff, 0xff, 0xff},
	"mqtt publish first":  {0x30, 0x05, 0x00, 0x01, 'a', 'x', 'y'},
	"mqtt half connect":   {0x10, 0x20, 0x00, 0x04, 'M', 'Q'},
	"mqtt bad utf-8":      {0x10, 0x0f, 0x00, 0x04, 'M', 'Q', 'T', 'T', 0x04, 0x02, 0x00, 0x3c, 0x00, 0x03, 0xc0, 0x80, 0xff},
	"mqttsn long length":  {0x01, 0xff, 0xff, 0x04, 0x04, 0x01},
	"mqttsn zero length":  {0x00},
	"mqttsn publish":      {0x08, 0x0c, 0x20, 0x00, 0x01, 0x00, 0x01, 'x'},
	"mqttsn forwarded":    append(bytes.Repeat([]byte{0x04, 0xfe, 0x00, 0x01}, 64), 0x02, 0x16),
	"coap bad token":      {0x4f, 0x01, 0x00, 0x01},
	"coap bad option":     {0x40, 0x01, 0x00, 0x01, 0xf0, 0xff},
	"coap empty marker":   {0x40, 0x03, 0x00, 0x01, 0xff},
	"coap version 3":      {0xc0, 0x01, 0x00, 0x01},
	"coap block overflow": {0x40, 0x01, 0x00, 0x01, 0xb2, 'p', 's', 0x01, 'a', 0xc3, 0xff, 0xff, 0xff},
	"stomp no end":        []byte("CONNECT\naccept-version:1.2\n"),
	"stomp long line":     append([]byte("CONNECT\n"), bytes.Repeat([]byte("a"), 100_000)...),
	"stomp length":        []byte("CONNECT\ncontent-length:99999999999999999999\n\n\x00"),
	"stomp send first":    []byte("SEND\ndestination:/topic/a\n\nx\x00"),
	"amqp version":        []byte("AMQP\x00\x09\x09\x09"),
	"amqp huge frame":     append([]byte("AMQP\x00\x00\x09\x01"), 0x01, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff),
	"amqp wrong order":    append([]byte("AMQP\x00\x00\x09\x01"), 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x04, 0x00, 0x0a, 0x00, 0x28, 0xce),
	"amqp bad end":        append([]byte("AMQP\x00\x00\x09\x01"), 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00),
}

// TestHostileInputHurtsNobodyElse gives every listener every opening, whole and a byte at a time at first, and noise. Each
// connection is closed within the time that a login may take, nothing of ours panics, and others notice nothing.
func TestHostileInputHurtsNobodyElse(t *testing.T) {
	t.Parallel()
	urls := start(t, "limits.preauth.deadline=500ms", "stomp.login_timeout=500ms", "amqp.login_timeout=500ms")
	count := script.Counter(t, urls["http"])
	inputs := map[string][]byte{}
	for name, b := range hostile {
		inputs[name] = b
	}
	noise := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		b := make([]byte, 1+noise.IntN(2000))
		for j := range b {
			b[j] = byte(noise.Uint32())
		}
		inputs["noise "+string(rune('a'+i))] = b
	}
	for _, s := range surfaces {
		u, err := url.Parse(urls[s.name])
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for name, b := range inputs {
			if strings.HasPrefix(s.url, "mqttsn") || strings.HasPrefix(s.url, "coap") {
				datagram(t, u.Host, b)
				continue
			}
			wg.Go(func() { stream(t, s.name+" "+name, u.Host, b) })
		}
		wg.Wait()
		healthy(t, urls, s.name)
	}
	if n := count("entrepot_panics_recovered_total", nil); n != 0 {
		t.Errorf("%v panics", n)
	}
}

func datagram(t *testing.T, addr string, b []byte) {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(b[:min(len(b), 60_000)]); err != nil {
		t.Fatal(err)
	}
}

// stream sends an opening in two parts and reads until the gateway closes.
func stream(t *testing.T, name, addr string, b []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Error(err)
		return
	}
	half := min(3, len(b))
	_, err = c.Write(b[:half])
	if err == nil {
		_, err = c.Write(b[half:])
	}
	if err == nil {
		_, err = io.Copy(io.Discard, c)
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Errorf("%s: the connection is still open", name)
	}
}

// healthy sends one message to itself.
func healthy(t *testing.T, urls map[string]string, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p := newPeer(name, urls)
	defer p.close()
	r, err := p.Subscribe(ctx, "healthy/"+name, 1)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer r.Close()
	if err := p.Publish(ctx, dial.Message{Topic: "healthy/" + name, Payload: []byte("yes"), QoS: 1}); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if m, err := r.Next(ctx, []byte("yes")); err != nil || string(m.Payload) != "yes" {
		t.Errorf("%s: %q, %v", name, m.Payload, err)
	}
}
