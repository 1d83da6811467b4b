package mqttsn

import (
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// Tick does what is due: repeated questions and messages, the end of the
// keep-alive or sleep time.
func (p *peer) Tick(t *core.Turn, out *adapters.Output) {
	if at := p.loginEnds(); at != 0 && t.Now >= at {
		p.evict(t, core.LoginExpired, out)
		return
	}
	if p.tickUnproven(t, out); p.state == gone {
		return
	}
	switch p.state {
	case wantConnect:
		if t.Now >= p.opening.at {
			p.forget(t, core.IdleTimeout)
		}
	case wantAuth:
		if t.Now >= p.opening.at {
			p.login(t, out) // the table of clients decides, or the listener
		}
	case awaitTurn:
		if t.Now >= p.opening.at {
			p.takeTurn(t, out)
		}
	case authenticating, attaching:
		if t.Now >= p.opening.at {
			p.fail(t, core.Busy, out)
		}
	case wantWillTopic, wantWillMsg:
		if t.Now >= p.opening.at {
			p.askAgain(t, out)
		}
	case active:
		p.tickActive(t, out)
	case awake:
		p.tickAwake(t, out)
	case asleep:
		if t.Now >= p.sleepsUntil() { // K8
			p.e.metrics.timeout("sleep")
			p.forget(t, core.IdleTimeout)
		}
	}
	if p.state != gone {
		p.rest(t.Now)
		p.schedule(t.Now)
	}
}

func (p *peer) tickActive(t *core.Turn, out *adapters.Output) {
	switch {
	case p.keepAlive() > 0 && t.Now >= p.last.After(p.keepAlive()): // K1
		p.e.metrics.timeout("keepalive")
		p.forget(t, core.IdleTimeout)
		return
	case !p.retransmit(t, out): // O4
		p.e.metrics.timeout("retry")
		p.forget(t, core.ConnectionLost)
		return
	}
	if at := p.probeAt(); at != 0 && t.Now >= at { // K3
		p.probed = true
		reply(p, packet.PingReq{}, out)
	}
	p.tickRegister(t, out)
}

func (p *peer) tickAwake(t *core.Turn, out *adapters.Output) {
	if !p.retransmit(t, out) { // K10
		p.e.metrics.wake("partial")
		p.drowse(t)
		return
	}
	p.tickRegister(t, out)
}

func (p *peer) tickRegister(t *core.Turn, out *adapters.Output) {
	o := &p.outbound
	if o.registering.id != 0 && t.Now >= o.registering.next {
		p.registerAgain(t, out)
	}
	if o.congested != 0 && t.Now >= o.congested {
		o.congested = 0
		p.deliver(t, out)
	}
}

// probeAt is when a silent client is asked whether it is there; 0: never.
func (p *peer) probeAt() core.Time {
	if !p.e.cfg.ProbeBeforeLost || p.probed || p.keepAlive() == 0 {
		return 0
	}
	return p.last.After(time.Duration(float64(p.keepAlive()) / p.e.cfg.KeepAliveFactor))
}

// schedule asks for a tick when something is due.
func (p *peer) schedule(now core.Time) {
	if p.state == gone {
		return
	}
	at := p.due()
	if at != 0 {
		at = max(at, now+1)
	}
	p.handle.TickAt(at)
}

// sleepsUntil is when a client that sleeps is given up.
func (p *peer) sleepsUntil() core.Time { return p.last + core.Time(p.sleep) }

// loginEnds is when the login of a client ends that has its CONNACK; 0: never.
func (p *peer) loginEnds() core.Time {
	if p.state < greeted || p.principal == nil {
		return 0
	}
	return p.principal.Ends(p.e.room.host.Router.Clock())
}

// due is when the next thing is to be done; 0: nothing.
func (p *peer) due() core.Time {
	var at core.Time
	sooner := func(x core.Time) {
		if x != 0 && (at == 0 || x < at) {
			at = x
		}
	}
	sooner(p.loginEnds())
	sooner(p.unprovenAt())
	sooner(p.restsAt())
	switch p.state {
	case wantConnect, wantAuth, authenticating, wantWillTopic, wantWillMsg, awaitTurn, attaching:
		sooner(p.opening.at)
	case asleep:
		sooner(p.sleepsUntil())
	case active:
		if p.keepAlive() > 0 {
			sooner(p.last.After(p.keepAlive()))
		}
		sooner(p.probeAt())
	}
	if p.state == active || p.state == awake {
		for i := range p.outbound.list {
			if m := &p.outbound.list[i]; m.phase == sent || m.phase == released {
				sooner(m.next)
			}
		}
		if p.outbound.registering.id != 0 {
			sooner(p.outbound.registering.next)
		}
		sooner(p.outbound.congested)
	}
	return at
}
