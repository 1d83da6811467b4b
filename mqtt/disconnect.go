package mqtt

import (
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

var errExpiryRaised = &packet.Error{Code: packet.ProtocolError, Rule: "MX1 session expiry raised from 0"}

// onDisconnect ends the connection by the client's wish. The session is left at
// once; what came before is answered, in order, when the store has it. Then we
// close. [MQTT-3.14.4-1] [MQTT-3.14.4-2]
func (c *conn) onDisconnect(t *core.Turn, sc *scratch, body []byte, out *adapters.Output) error {
	d := &sc.disconnect
	if err := d.Parse(&c.room.rules, c.version, 0, body); err != nil {
		c.room.count.code(packet.DISCONNECT, d.Code, adapters.In)
		return err
	}
	c.room.count.code(packet.DISCONNECT, d.Code, adapters.In)
	if c.phase != connected {
		c.finish(t, out, core.Normal)
		return nil
	}
	if d.Properties.Has(packet.SessionExpiryInterval) {
		asked := d.Properties.Num(packet.SessionExpiryInterval, 0)
		if asked > 0 && !c.durable {
			return errExpiryRaised
		}
		c.session.SetExpiry(t, c.expiry(asked))
	}
	owed := c.answers
	if d.Code == packet.Success { // the will goes with a plain DISCONNECT alone [MQTT-3.14.4-3] [3: MQTT-3.14.4-3]
		c.leave(t, core.Normal)
	} else {
		c.leave(t, core.ConnectionLost)
	}
	if owed.empty() {
		c.finish(t, out, core.Normal)
		return nil
	}
	c.phase, c.answers = leaving, owed
	out.PauseReading() // so that the end of the stream is not noticed before the answers are out
	c.handle.TickAt(t.Now.After(farewell))
	return nil
}

// farewell is how long a client that has left is kept for its answers.
const farewell = 5 * time.Second

// lastAnswers sends what has become safe to a client that has left, and closes
// behind the last one. What could not be stored ends it without a word: the
// session may be somebody else's by now, and the client has to ask again.
func (c *conn) lastAnswers(t *core.Turn, out *adapters.Output) {
	safe := c.session.Safe()
	for c.phase == leaving && !c.answers.empty() {
		a, ok := c.answers.pop(safe)
		if !ok {
			return
		}
		if a.seq != 0 && c.session.Failed(a.seq) {
			break
		}
		c.write(t, out, a)
	}
	c.finish(t, out, core.Normal)
}

// expiry turns a Session Expiry Interval into what is granted. MC18
func (c *conn) expiry(seconds uint32) time.Duration {
	d := time.Duration(seconds) * time.Second
	if seconds == 1<<32-1 {
		d = core.Forever
	}
	return min(d, c.room.set.expiryMax)
}

// disconnect ends the connection from our side, in words where the version
// has them. [MQTT-4.13.1-1]
func (c *conn) disconnect(t *core.Turn, out *adapters.Output, code packet.Code, rule string, why core.Reason) {
	out.Join()
	if c.version >= packet.V5 {
		var d packet.Disconnect
		d.Code = c.refer(code, &d.Properties, why)
		if rule == "" {
			rule = why.String()
		}
		d.Properties.SetStr(packet.ReasonString, []byte(rule))
		if c.fit(&d.Properties, func() int { return d.Len(c.version) }) {
			out.B = d.AppendTo(out.B, c.version)
			c.room.count.out(t, packet.DISCONNECT)
			c.room.count.code(packet.DISCONNECT, d.Code, adapters.Out)
			if why == core.Moved {
				c.room.count.redirect(d.Code)
			}
		}
	}
	c.finish(t, out, why)
}

// finish closes after what was appended; nothing follows it.
func (c *conn) finish(t *core.Turn, out *adapters.Output, why core.Reason) {
	c.leave(t, why)
	out.CloseAfterFlush(why)
}

// leave detaches the session, once. Any reason but Normal lets core publish
// the will. [MQTT-3.1.2-8]
func (c *conn) leave(t *core.Turn, why core.Reason) {
	if c.phase == ended {
		return
	}
	if c.phase == leaving { // it has left the session already
		c.phase, c.answers = ended, answers{}
		c.handle.TickAt(0)
		return
	}
	if o := c.opening; o != nil && o.cancel != nil {
		o.cancel()
	}
	c.endAuth(why)
	if c.phase == awaitTurn {
		c.room.takeovers.GiveUp(&c.opening.client, c.handle)
	}
	if c.session != nil {
		c.session.Detach(t, why)
	}
	if c.phase == connected {
		down(c.room.count.open[c.version])
	}
	t.Count(c.room.count.held, -uint64(c.inbound.held))
	c.phase = ended
	c.handle.TickAt(0)
	c.inflight, c.inbound, c.answers = inflight{}, inbound{}, answers{}
	c.extra, c.paused = nil, false // [MQTT-3.3.2-7]
}
