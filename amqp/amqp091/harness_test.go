package amqp091_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// room makes the room with a configuration.
func room(c amqp091.Config) adaptertest.NewRoom {
	return func(h *adapters.Host) (adapters.Room, error) {
		return amqp.Registration().New(h, &c)
	}
}

// simulate runs f in virtual time with a fresh gateway.
func simulate(t *testing.T, f func(w *world)) {
	t.Helper()
	simulateWith(t, amqp091.Config{}, adaptertest.Options{}, f)
}

func simulateWith(t *testing.T, c amqp091.Config, o adaptertest.Options, f func(w *world)) {
	t.Helper()
	t.Parallel()
	adaptertest.Test(t, room(c), o, func(t *testing.T, d *adaptertest.Driver) { f(&world{t: t, Driver: d}) })
}

// restart runs before and after on gateways that follow each other on one
// store.
func restart(t *testing.T, before, after func(w *world)) {
	t.Helper()
	t.Parallel()
	o := adaptertest.Options{Store: adaptertest.NewStore()}
	for _, f := range []func(w *world){before, after} {
		adaptertest.Test(t, room(amqp091.Config{}), o, func(t *testing.T, d *adaptertest.Driver) { f(&world{t: t, Driver: d}) })
	}
}

type world struct {
	t *testing.T
	*adaptertest.Driver
}

// peer is a client that speaks in methods.
type peer struct {
	*adaptertest.Conn
	t    *testing.T
	rest []byte
	max  uint32
}

// raw connects without a word.
func (w *world) raw() *peer { return &peer{Conn: w.Open(), t: w.t, max: 131072} }

// capabilities of RabbitMQ's clients.
func capabilities() wire.Table {
	can := wire.Table{}.Append("consumer_cancel_notify", wire.Bool(true)).Append("authentication_failure_close", wire.Bool(true)).
		Append("connection.blocked", wire.Bool(true))
	return wire.Table{}.Append("capabilities", wire.Nested(can))
}

func startOk(user, password string) *wire.ConnectionStartOk {
	return &wire.ConnectionStartOk{ClientProperties: capabilities(), Mechanism: "PLAIN", Response: []byte("\x00" + user + "\x00" + password), Locale: "en_US"}
}

// dial connects and opens channel 1.
func (w *world) dial() *peer {
	w.t.Helper()
	p := w.raw()
	p.SendString(wire.ProtocolHeader)
	p.send(0, startOk("guest", "guest"), &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072}, &wire.ConnectionOpen{VirtualHost: "/"})
	p.send(1, &wire.ChannelOpen{})
	got := p.recv()
	if len(got) != 4 || got[3] != "1 channel.open-ok" {
		w.t.Fatalf("login: %q", got)
	}
	return p
}

// send sends methods on a channel.
func (p *peer) send(channel uint16, ms ...wire.Method) {
	p.t.Helper()
	var b []byte
	for _, m := range ms {
		b = wire.AppendMethodFrame(b, channel, m)
	}
	p.Send(b)
}

// call sends methods on channel 1 and checks what comes.
func (p *peer) call(want string, ms ...wire.Method) {
	p.t.Helper()
	p.send(1, ms...)
	p.expect(want)
}

// content is the frames of a publish.
func content(channel uint16, m *wire.BasicPublish, props *wire.Properties, body string, max uint32) []byte {
	b := wire.AppendMethodFrame(nil, channel, m)
	h := wire.Header{Class: 60, BodySize: uint64(len(body))}
	if props != nil {
		h.Properties = props.AppendTo(nil)
	}
	return wire.AppendBody(h.AppendFrame(b, channel), channel, []byte(body), max)
}

func (p *peer) publish(exchange, key, body string) {
	p.t.Helper()
	p.publishWith(&wire.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)}, nil, body)
}

func (p *peer) publishWith(m *wire.BasicPublish, props *wire.Properties, body string) {
	p.t.Helper()
	p.Send(content(1, m, props, body, p.max))
}

var persistent = &wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 2}

// recv renders the frames that have come, one line each; a content is one
// line with its method.
func (p *peer) recv() (lines []string) {
	p.t.Helper()
	b := append(p.rest, p.Recv()...)
	left, body := uint64(0), ""
	for len(b) > 0 {
		f, n, err := wire.Scan(b, p.max)
		if err != nil {
			p.t.Fatalf("scan %x: %v", b, err)
		}
		b = b[n:]
		last := len(lines) - 1
		switch f.Type {
		case wire.FrameMethod:
			m, err := wire.ParseMethod(f.Payload)
			if err != nil {
				p.t.Fatal(err)
			}
			args := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%+v", m), "&{"), "}")
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d %s %s", f.Channel, m.ID(), args)))
		case wire.FrameHeader:
			var h wire.Header
			var props wire.Properties
			if h.Parse(f.Payload) != nil || props.Parse(h.Properties) != nil {
				p.t.Fatalf("header %x", f.Payload)
			}
			lines[last] += describe(&props)
			if left, body = h.BodySize, ""; left == 0 {
				lines[last] += ` ""`
			}
		case wire.FrameBody:
			body += string(f.Payload)
			if left -= uint64(len(f.Payload)); left == 0 {
				lines[last] += fmt.Sprintf(" %q", short(body))
			}
		case wire.FrameHeartbeat:
			lines = append(lines, "heartbeat")
		}
	}
	return lines
}

func short(s string) string {
	if len(s) > 64 {
		return fmt.Sprintf("%d octets", len(s))
	}
	return s
}

// describe renders the properties that are set.
func describe(p *wire.Properties) (s string) {
	if p.Has(wire.FlagDeliveryMode) {
		s += fmt.Sprintf(" mode=%d", p.DeliveryMode)
	}
	for _, x := range []struct {
		f wire.Flag
		n string
		v []byte
	}{
		{wire.FlagContentType, "content-type", p.ContentType}, {wire.FlagCorrelationID, "correlation-id", p.CorrelationID},
		{wire.FlagReplyTo, "reply-to", p.ReplyTo}, {wire.FlagExpiration, "expiration", p.Expiration},
		{wire.FlagMessageID, "message-id", p.MessageID}, {wire.FlagUserID, "user-id", p.UserID},
	} {
		if p.Has(x.f) {
			s += fmt.Sprintf(" %s=%s", x.n, x.v)
		}
	}
	for n, v := range p.Headers.All() {
		i, _ := v.Int()
		s += fmt.Sprintf(" %s=%c:%q/%d", n, v.Type, v.Raw, i)
	}
	return s
}

// expect checks everything that has come, lines joined by newlines; blanks
// around lines do not count.
func (p *peer) expect(want string) {
	p.t.Helper()
	var lines []string
	for l := range strings.SplitSeq(want, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	got := strings.Join(p.recv(), "\n")
	if w := strings.Join(lines, "\n"); got != w {
		p.t.Fatalf("got:\n%s\nwant:\n%s", got, w)
	}
}

// expectPrefix checks the only line by its beginning.
func (p *peer) expectPrefix(want string) {
	p.t.Helper()
	got := p.recv()
	if len(got) != 1 || !strings.HasPrefix(got[0], want) {
		p.t.Fatalf("got %q, want %q...", got, want)
	}
}

func (p *peer) expectClosed(want core.Reason) {
	p.t.Helper()
	if r, closed := p.Closed(); !closed || r != want {
		p.t.Fatalf("closed %t: %v, want %v", closed, r, want)
	}
}

// deliver is the line of a delivery.
func deliver(tag string, n int, redelivered bool, exchange, key, rest string) string {
	return fmt.Sprintf("1 basic.deliver ConsumerTag:%s DeliveryTag:%d Redelivered:%t Exchange:%s RoutingKey:%s %s", tag, n, redelivered, exchange, key, rest)
}

const second = time.Second
