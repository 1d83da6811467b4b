package mqtt

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// refuseConnect answers a CONNECT that a neutral reason refuses.
// [3: MQTT-3.2.2-4] [3: MQTT-3.2.2-5]
func (c *conn) refuseConnect(t *core.Turn, out *adapters.Output, r core.Reason, rule string) {
	row := codesOf(r)
	if rule == "" {
		rule = r.String()
	}
	if c.version >= packet.V5 {
		c.refuseWith(t, out, row.connack, rule, r)
		return
	}
	c.room.host.Metrics.Refused(Name, r)
	c.sendConnack3(t, out, row.connack3)
	c.finish(t, out, r)
}

// refuseWith answers a CONNECT with a code of 5.0; 3.x has an answer for few.
func (c *conn) refuseWith(t *core.Turn, out *adapters.Output, code packet.Code, rule string, why core.Reason) {
	c.room.host.Metrics.Refused(Name, why)
	if c.version < packet.V5 { // [3: MQTT-3.2.2-6] [3: MQTT-3.1.4-1]
		if old, ok := connack3(code); ok {
			c.sendConnack3(t, out, old)
		}
		c.finish(t, out, why)
		return
	}
	p := packet.Connack{}
	p.Code = c.refer(code, &p.Properties, why)
	if rule != "" && code != packet.UnsupportedProtocolVersion { // the bare packet is what any version can read
		p.Properties.SetStr(packet.ReasonString, []byte(rule))
	}
	if c.sendConnack(t, out, &p) && why == core.Moved {
		c.room.count.redirect(p.Code)
	}
	c.finish(t, out, why) // [MQTT-3.2.2-7] [MQTT-3.1.4-1] [MQTT-4.13.2-1]
}

func (c *conn) sendConnack3(t *core.Turn, out *adapters.Output, code packet.Code) {
	if code == packet.Accepted3 {
		return // 3.x has no word for it
	}
	c.sendConnack(t, out, &packet.Connack{Code: code})
}

// sendConnack appends a CONNACK, without its Reason String when that is too
// large; false: the client cannot take even that.
func (c *conn) sendConnack(t *core.Turn, out *adapters.Output, p *packet.Connack) bool {
	if !c.fit(&p.Properties, func() int { return p.Len(c.version) }) {
		return false
	}
	out.B = p.AppendTo(out.B, c.version)
	c.room.count.out(t, packet.CONNACK)
	c.room.count.code(packet.CONNACK, p.Code, adapters.Out)
	return true
}

// accept sends CONNACK 00 and begins the session. [MQTT-3.1.4-5]
// [3: MQTT-3.1.4-4]
func (c *conn) accept(t *core.Turn, out *adapters.Output) {
	o := c.opening
	p := packet.Connack{SessionPresent: c.session.Present()} // [MQTT-3.2.2-2] [MQTT-3.2.2-3] [3: MQTT-3.2.2-1] [3: MQTT-3.2.2-2] [3: MQTT-3.2.2-3]
	if c.version >= packet.V5 {
		if t.Level() >= core.LevelShed {
			o.spreadKeepAlive(c.room.set.maxKeepAlive)
		}
		c.announce(&p.Properties)
	}
	if c.maxOut > 0 && p.Len(c.version) > int(c.maxOut) { // what it has to be told does not fit: MC22
		c.session.SetWill(t, nil) // of a connection that never was
		c.refuseWith(t, out, packet.PacketTooLarge, "", core.TooLarge)
		return
	}
	c.sendConnack(t, out, &p)
	c.phase = connected // [MQTT-3.2.0-1] [MQTT-3.2.0-2] [3: MQTT-3.2.0-1]
	c.freed = true      // what the session holds is to be taken now
	c.mayHold = c.session.Present()
	if c.durable {
		c.inflight.own = numbered(c.session.Upcoming())
	}
	if c.mayHold {
		c.reserve()
	}
	c.room.count.open[c.version].Add(1)
	c.handle.Connected()
	if o.paused {
		out.ResumeReading()
	}
	if o.cancel != nil {
		o.cancel()
	}
	c.keep.start(t.Now, o.keepAlive) // [MQTT-3.2.2-22]
	c.opened()
	c.arm()
	if c.room.redirects(c.session.Principal()) { // the drain began while it waited
		c.Evict(t, core.Moved, out)
		return
	}
	c.autoSubscribe(t)
}

// announce fills the properties of CONNACK: what differs from the protocol's
// default or from what was asked. MC20
// [3: MQTT-7.0.0-2] [MQTT-4.12.0-6]
func (c *conn) announce(p *packet.Properties) {
	o, set := c.opening, &c.room.set
	c.auth.announce(p)
	if granted := c.expiry(o.asked); granted != askedExpiry(o.asked) {
		p.SetNum(packet.SessionExpiryInterval, uint32(granted/time.Second))
	}
	if o.assigned {
		p.SetStr(packet.AssignedClientID, []byte(o.client.ID)) // [MQTT-3.2.2-16] [MQTT-3.1.3-7]
	}
	if o.tellKeepAlive {
		p.SetNum(packet.ServerKeepAlive, uint32(o.keepAlive)) // [MQTT-3.2.2-21]
	}
	if set.receiveMax < 65535 {
		p.SetNum(packet.ReceiveMaximum, uint32(set.receiveMax))
	}
	if set.aliasesIn > 0 {
		p.SetNum(packet.TopicAliasMaximum, uint32(set.aliasesIn))
	}
	if set.packetBytes < packet.MaxVarint+5 {
		p.SetNum(packet.MaximumPacketSize, uint32(set.packetBytes))
	}
	if set.maxQoS < 2 { // [MQTT-3.2.2-9]
		p.SetNum(packet.MaximumQoS, uint32(set.maxQoS)) // [MQTT-3.2.2-9]
	}
	for id, on := range map[packet.PropID]bool{
		packet.RetainAvailable: set.retain, packet.WildcardAvailable: set.wildcard, packet.SharedAvailable: set.shared,
	} {
		if !on {
			p.SetNum(id, 0)
		}
	}
	if o.wantsInfo && set.responseInfo != "" { // [MQTT-3.1.2-28]
		info := strings.ReplaceAll(set.responseInfo, "{client}", o.client.ID)
		if utf8.ValidString(info) && c.session.Allows(core.ActionSubscribe, info+"#") {
			p.SetStr(packet.ResponseInformation, []byte(info))
		}
	}
}

func askedExpiry(seconds uint32) time.Duration {
	if seconds == 1<<32-1 {
		return core.Forever
	}
	return time.Duration(seconds) * time.Second
}
