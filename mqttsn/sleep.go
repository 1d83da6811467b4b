package mqttsn

import (
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// onDisconnect ends the session in order, or puts it to sleep (K4, K5, K14,
// K15).
func (p *peer) onDisconnect(t *core.Turn, body []byte, out *adapters.Output) error {
	q, err := packet.ParseDisconnect(body)
	if err != nil {
		return err
	}
	reply(p, packet.Disconnect{}, out)
	if q.Duration == 0 {
		p.forget(t, core.Normal)
		return nil
	}
	d := scale(min(time.Duration(q.Duration)*time.Second, p.e.cfg.MaxSleep), p.e.cfg.SleepFactor)
	p.sleep = uint32(core.Time(0).After(d))
	p.drowse(t)
	return nil
}

// drowse makes the client sleep; what is in flight stays for its next wake. From
// now on QoS 0 is kept in its own bound (K7).
func (p *peer) drowse(t *core.Turn) {
	p.become(asleep)
	p.session.BoundQoS0(t, p.e.cfg.QueueQoS0)
	p.session.PassOn(t)
	if p.traffic != &p.e.quiet {
		p.outbound.registering = registering{}
		p.outbound.rest()
		p.inbound.subacked = nil
	}
	p.rest(t.Now)
	p.schedule(t.Now)
}

// wake delivers what was buffered (K9). What was in flight comes first.
func (p *peer) wake(t *core.Turn, out *adapters.Output) {
	p.become(awake)
	if p.outbound.woken > 0 {
		p.act().outbound.woken = 0
	}
	p.resend(t, 0, out)
	p.deliver(t, out)
}

// doze ends a wake: nothing is left, or enough has come (K9, K16, K17).
func (p *peer) doze(t *core.Turn, out *adapters.Output) {
	result := "delivered"
	switch {
	case p.outbound.woken == 0:
		result = "empty"
	case p.sated():
		result = "partial"
	}
	p.e.metrics.wake(result)
	reply(p, packet.Bare{Of: packet.PINGRESP}, out)
	p.last = t.Now
	p.drowse(t)
}

// wakeElsewhere takes a wake-up from an address that is not the sleeping
// client's own: it moves there (K11, K12).
func (e *endpoint) wakeElsewhere(t *core.Turn, from origin, q packet.PingReq, out *adapters.Output) {
	p, several := e.named(string(q.ClientID), from)
	switch {
	case p == nil:
		e.stranger(t.Now, from, out) // X1; the same if others have such a client (SECURITY S1)
		return
	case several, !p.mayMove(from):
		e.metrics.roam("refused")
		return
	case !e.move(t, p, from):
		e.metrics.roam("limited")
		return
	}
	p.heard(t.Now, q.Len())
	p.wake(t, out)
	p.schedule(t.Now)
}

// move gives a client another address. Who was there is lost (C13).
func (e *endpoint) move(t *core.Turn, p *peer, to origin) bool {
	if there := e.peers.get(to); there != nil {
		there.disinherit(t)
		there.forget(t, core.ConnectionLost)
	}
	p.disinherit(t)
	from, was := p.at(), p.budget()
	e.leave(p)
	p.goTo(to)
	p.grant(e.budget(to))
	if e.enter(p) != nil {
		p.goTo(from)
		p.grant(was)
		e.enter(p)
		return false
	}
	e.metrics.roam("moved")
	return true
}

// continues tells that p, whose login has just succeeded, goes on with the
// session of old, who is the same and sleeps at another address (K13).
func (p *peer) continues(old *peer) bool {
	return (old.state == asleep || old.state == awake) && p.e.cfg.WakeConnectClean == "ignore" && p.e.cfg.Roaming != "off"
}

// hand lets old go on at the address of p, which has no session yet.
func (e *endpoint) hand(t *core.Turn, p, old *peer, out *adapters.Output) {
	at, hello, budget := p.at(), p.hello, p.budget()
	p.forget(t, core.Normal)
	if !e.move(t, old, at) {
		e.refuse(at, packet.Congestion, out)
		return
	}
	old.hello = hello
	old.give(budget)
	old.session.Renew(p.principal) // of the same identity
	old.principal, old.password = p.principal, p.password
	old.resume(t, out)
	old.schedule(t.Now)
}
