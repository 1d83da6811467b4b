// Package line is a protocol of text lines over core: the smallest room that
// uses all of the contract. The tests of the loops and of the test driver
// speak it.
//
//	LOGIN name        -> OK            attaches the session; again: takeover
//	SUB filter        -> OK
//	PUB topic words   -> OK            (OK none when nobody matches)
//	QPUB topic words  ->               QoS 0, no answer
//	ECHO words        -> words
//	SPAM n            -> n lines of 1 KiB
//	TICK ms           -> TOCK after so long
//	PAUSE ms          -> stops reading for so long
//	QUIT              -> BYE, then the end
//	PANIC             -> a defect
//
// Deliveries are `MSG topic payload`, evictions `BYE reason`.
package line

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// MaxLine is the longest line, in bytes.
const MaxLine = 64 << 10

// Room is the protocol.
type Room struct{ host *adapters.Host }

// New makes the room.
func New(h *adapters.Host) (adapters.Room, error) { return &Room{host: h}, nil }

var (
	_ adapters.WebSocketRoom = (*Room)(nil)
	_ adapters.DatagramRoom  = (*Room)(nil)
)

// Name is the protocol's name.
func (r *Room) Name() string { return "line" }

// WebSocket serves /line.
func (r *Room) WebSocket() adapters.WebSocketOptions {
	return adapters.WebSocketOptions{Paths: []string{"/line"}, Subprotos: []string{"line"},
		Text: true, MaxMessage: 1 << 20}
}

// Open makes a connection.
func (r *Room) Open(h adapters.Handle, info adapters.Info, _ *core.Turn) adapters.Conn {
	return &conn{peer: peer{room: r, h: h, info: info}}
}

// peer is what a connection and a datagram peer have in common.
type peer struct {
	room  *Room
	h     adapters.Handle
	info  adapters.Info // of a connection
	s     *core.Session
	in    bool // the login was answered
	name  string
	login *adapters.Login
	spam  int
	took  [4]core.Delivery
	lent  core.Lent
	to    source // of a datagram peer

	paused  bool // by PAUSE
	pouring bool // reading is paused by SPAM
}

func (p *peer) say(out *adapters.Output, s string) {
	out.B = append(out.B, s...)
	out.B = append(out.B, '\n')
	p.end(out)
}

func (p *peer) end(out *adapters.Output) {
	switch {
	case p.to.secure != nil:
		out.Secure(p.to.secure)
	case p.to.addr.IsValid():
		out.Datagram(p.to.addr)
	}
}

// line obeys one command.
func (p *peer) line(t *core.Turn, l []byte, out *adapters.Output) error {
	cmd, rest, _ := bytes.Cut(l, []byte(" "))
	if !p.in && string(cmd) != "LOGIN" && string(cmd) != "ECHO" && string(cmd) != "PANIC" && string(cmd) != "WHO" {
		return core.ProtocolError
	}
	switch string(cmd) {
	case "LOGIN":
		return p.enter(t, string(rest))
	case "SUB":
		grants, _, _ := p.s.Subscribe(t, []core.Subscription{{Filter: string(rest), QoS: 1}}, nil)
		if r := grants[0].Reason; r != core.OK {
			return r
		}
		p.say(out, "OK")
	case "PUB", "QPUB":
		return p.publish(t, rest, string(cmd) == "PUB", out)
	case "ECHO":
		p.say(out, string(rest))
	case "WHO":
		p.say(out, p.who())
	case "SPAM":
		p.spam, _ = strconv.Atoi(string(rest))
		p.pour(out)
	case "TICK", "PAUSE":
		ms, _ := strconv.Atoi(string(rest))
		p.h.TickAt(t.Now.After(time.Duration(ms) * time.Millisecond))
		if p.paused = string(cmd) == "PAUSE"; p.paused {
			out.PauseReading()
		}
	case "QUIT":
		p.say(out, "BYE")
		p.s.Detach(t, core.Normal)
		out.CloseAfterFlush(core.Normal)
	case "PANIC":
		panic("asked for")
	default:
		return fmt.Errorf("unknown command: %w", core.Malformed)
	}
	return nil
}

// who is the transport as the room sees it.
func (p *peer) who() string {
	if a := p.to.secure; a != nil {
		text := "psk=" + a.PSKIdentity
		if a.Certificate != nil {
			text += " cn=" + a.Certificate.CommonName
		}
		return text
	}
	i := &p.info
	text := fmt.Sprintf("%s to %s loopback=%v tls=%v", i.Addr(), i.Local, i.Loopback, i.TLS)
	if c := i.Certificate; c != nil {
		text += fmt.Sprintf(" cn=%s uris=%v proxied=%v", c.CommonName, c.URIs, c.Proxied)
	}
	return text
}

func (p *peer) enter(t *core.Turn, name string) error {
	if p.login != nil {
		return core.ProtocolError
	}
	p.name = name
	p.h.LoggingIn()
	c := adapters.Credentials{Protocol: "line", ClientID: name,
		Addr: p.info.Addr(), Loopback: p.info.Loopback, TLS: p.info.TLS, Certificate: p.info.Certificate}
	p.to.secure.Show(&c)
	p.login = p.room.host.Login(context.Background(), c, p.h)
	p.h.Ready(t)
	return nil
}

// attach follows the login; false: not yet, or refused.
func (p *peer) attach(t *core.Turn, out *adapters.Output) bool {
	if p.s == nil {
		if p.login == nil {
			return false
		}
		who, r, done := p.login.Result()
		if !done {
			return false
		}
		if r == core.OK {
			p.s, r = p.room.host.Router.Attach(t, core.Client{ID: p.name, Principal: who, Protocol: "line", Clean: true}, p.h)
		}
		if r != core.OK {
			return p.refuse(r, out)
		}
	}
	attached, failed := p.s.State()
	if failed != core.OK {
		return p.refuse(failed, out)
	}
	if attached {
		p.in = true
		p.h.Authenticated()
		p.say(out, "OK")
		p.h.Connected()
	}
	return attached
}

func (p *peer) refuse(r core.Reason, out *adapters.Output) bool {
	p.say(out, "BYE "+r.String())
	out.CloseAfterFlush(r)
	return false
}

func (p *peer) publish(t *core.Turn, rest []byte, answer bool, out *adapters.Output) error {
	topic, payload, _ := bytes.Cut(rest, []byte(" "))
	mt, r := p.s.Route(t, topic)
	if r != core.OK {
		return r
	}
	said := "OK none"
	if mt.Any() {
		m := p.lent.Lend(payload)
		m.Topic = mt.Topic()
		if _, _, r = p.s.Publish(t, mt, m); r.Err() != nil {
			return r
		}
		said = "OK"
	}
	if answer {
		p.say(out, said)
	}
	return nil
}

var kib = bytes.Repeat([]byte("x"), 1023)

func (p *peer) pour(out *adapters.Output) {
	for ; p.spam > 0; p.spam-- {
		if out.Full() {
			out.More, p.pouring = true, true
			out.PauseReading() // what follows waits for its turn
			return
		}
		p.say(out, string(kib))
	}
	if p.pouring {
		p.pouring = false
		out.ResumeReading()
	}
}

// Stalled implements adapters.Stalled.
func (p *peer) Stalled(t *core.Turn) {
	if p.in {
		p.s.PassOn(t)
	}
}

// Wake answers the login and takes deliveries.
func (p *peer) Wake(t *core.Turn, out *adapters.Output) {
	if !p.in && !p.attach(t, out) {
		return
	}
	p.pour(out)
	out.Join()
	for c := p.s.NextReady(); c != nil; c = p.s.NextReady() {
		p.take(t, c, out)
	}
}

func (p *peer) take(t *core.Turn, c *core.Consumer, out *adapters.Output) {
	for {
		got := c.Take(t, p.took[:0], len(p.took))
		for i := range got {
			p.message(got[i].Message, out)
			if got[i].QoS > 0 {
				c.Settle(t, got[i].Seq, core.Accepted)
			}
			got[i] = core.Delivery{}
		}
		if len(got) < len(p.took) {
			return
		}
	}
}

func (p *peer) message(m *core.Message, out *adapters.Output) {
	out.B = append(append(out.B, "MSG "...), m.Topic...)
	out.B = append(out.B, ' ')
	out.Lend(m.Payload)
	out.B = append(out.B, '\n')
	p.end(out)
}

// Direct implements adapters.Direct. The payload "defect" is one.
func (p *peer) Direct(_ *core.Turn, d *core.Delivery, out *adapters.Output) bool {
	if p.pouring || !p.in {
		return false
	}
	p.message(d.Message, out)
	if string(d.Message.Payload) == "defect" {
		panic("a defect of the receiver")
	}
	return true
}

// Tick ends a pause, or says TOCK.
func (p *peer) Tick(_ *core.Turn, out *adapters.Output) {
	if p.paused {
		p.paused = false
		out.ResumeReading()
		return
	}
	p.say(out, "TOCK")
}

// Identity is whose peer it is.
func (p *peer) Identity() adapters.Identity {
	return adapters.Identity{Client: p.name, Principal: core.Anonymous, Version: "1", Addr: p.to.addr}
}

// Evict says goodbye.
func (p *peer) Evict(t *core.Turn, r core.Reason, out *adapters.Output) {
	p.say(out, "BYE "+r.String())
	p.detach(t, r)
	out.CloseAfterFlush(r)
}

func (p *peer) detach(t *core.Turn, r core.Reason) {
	if p.s != nil {
		p.s.Detach(t, r)
	}
}
