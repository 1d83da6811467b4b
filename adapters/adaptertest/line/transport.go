package line

import (
	"bytes"
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// conn is a stream connection.
type conn struct{ peer }

// Input obeys the complete lines.
func (c *conn) Input(t *core.Turn, in []byte, out *adapters.Output) (int, error) {
	used := 0
	for !c.paused && !c.pouring {
		if c.login != nil && !c.in { // the login is under way
			break
		}
		n := bytes.IndexByte(in[used:], '\n')
		if n < 0 {
			if len(in)-used > MaxLine {
				return used, core.TooLarge
			}
			break
		}
		l := in[used : used+n]
		used += n + 1
		if err := c.line(t, l, out); err != nil {
			c.say(out, "ERR "+err.Error())
			return used, err
		}
		if _, closing := out.Closing(); closing {
			break
		}
		if out.Full() {
			out.More = true
			break
		}
	}
	if c.login != nil && !c.in {
		out.PauseReading()
	}
	return used, nil
}

// Wake resumes reading when the login has been answered.
func (c *conn) Wake(t *core.Turn, out *adapters.Output) {
	before := c.in
	c.peer.Wake(t, out)
	if c.in && !before {
		out.ResumeReading()
	}
}

// Close detaches.
func (c *conn) Close(t *core.Turn, r core.Reason) { c.detach(t, r) }

// endpoint is a datagram listener: a datagram is a line, an address a peer.
type endpoint struct {
	room  *Room
	loop  adapters.Loop
	peers map[source]*gram
}

// source is an address, or an association.
type source struct {
	addr   netip.AddrPort
	secure *adapters.Association
}

type gram struct {
	peer
	e *endpoint
}

// Listen makes the endpoint.
func (r *Room) Listen(l adapters.Loop, _ adapters.ListenerInfo) adapters.Endpoint {
	return &endpoint{room: r, loop: l, peers: map[source]*gram{}}
}

// Datagram obeys one line.
func (e *endpoint) Datagram(t *core.Turn, from netip.AddrPort, in []byte, out *adapters.Output) {
	e.obey(t, source{addr: from}, in, out)
}

// Secure obeys one line of an association.
func (e *endpoint) Secure(t *core.Turn, a *adapters.Association, in []byte, out *adapters.Output) {
	e.obey(t, source{a.Remote, a}, in, out)
}

// Gone ends the peer of an association.
func (e *endpoint) Gone(t *core.Turn, a *adapters.Association, r core.Reason, _ *adapters.Output) {
	if p := e.peers[source{a.Remote, a}]; p != nil {
		p.gone(t, r)
	}
}

// Idle tells that an association has no peer.
func (e *endpoint) Idle(a *adapters.Association) bool { return e.peers[source{a.Remote, a}] == nil }

func (e *endpoint) obey(t *core.Turn, from source, in []byte, out *adapters.Output) {
	p := e.peers[from]
	if p == nil {
		p = &gram{peer: peer{room: e.room, to: from}, e: e}
		p.h = e.loop.Handle(p)
		e.peers[from] = p
	}
	err := p.line(t, bytes.TrimRight(in, "\n"), out)
	if err != nil {
		if p.s != nil { // strangers get no answer that is longer than what they said
			p.say(out, "ERR "+err.Error())
		}
		p.gone(t, core.Malformed)
		return
	}
	if _, closing := out.Closing(); closing { // QUIT
		p.gone(t, core.Normal)
	}
}

func (p *gram) gone(t *core.Turn, r core.Reason) {
	p.detach(t, r)
	delete(p.e.peers, p.to)
	p.h.Ended(r)
}

// Evict says goodbye and forgets the peer.
func (p *gram) Evict(t *core.Turn, r core.Reason, out *adapters.Output) {
	p.peer.Evict(t, r, out)
	delete(p.e.peers, p.to)
}

// Close says goodbye to all.
func (e *endpoint) Close(t *core.Turn, r core.Reason, out *adapters.Output) {
	for _, p := range e.peers {
		p.say(out, "BYE "+r.String())
		p.gone(t, r)
	}
}
