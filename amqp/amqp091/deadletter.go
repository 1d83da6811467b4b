package amqp091

import (
	"strings"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// deadLetters reads x-dead-letter-exchange and -routing-key into the queue's
// specification: DeadTo holds both, after the octet that tells whether there
// is a key.
func deadLetters(spec *core.QueueSpec, args wire.Table) error {
	bad := func(name, why string) error {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "invalid arg '" + name + "' for queue '" + spec.Name + "': " + why}
	}
	x, hasExchange := args.Get("x-dead-letter-exchange")
	k, hasKey := args.Get("x-dead-letter-routing-key")
	name, isName := x.Text()
	key, isKey := k.Text()
	switch {
	case !hasExchange && !hasKey:
		return nil
	case !hasExchange:
		return bad("x-dead-letter-routing-key", "needs x-dead-letter-exchange")
	case !isName || len(name) > 255:
		return bad("x-dead-letter-exchange", "not a name")
	case hasKey && (!isKey || len(key) > 255):
		return bad("x-dead-letter-routing-key", "not a key")
	}
	spec.DeadRoom = exchange.Protocol
	spec.DeadTo = "-" + name + "\x00"
	if hasKey {
		spec.DeadTo = "+" + name + "\x00" + key
	}
	return nil
}

// deadTarget reads DeadTo.
func deadTarget(to string) (name, key string, hasKey bool) {
	name, key, _ = strings.Cut(to, "\x00")
	if name == "" {
		return "", "", false
	}
	return name[1:], key, name[0] == '+'
}

// mayDeadLetter asks for the right to publish where dead letters go. Without
// a key of the queue's own that may be anywhere.
func (ch *channel) mayDeadLetter(spec *core.QueueSpec) error {
	if spec.DeadRoom == "" {
		return nil
	}
	name, key, hasKey := deadTarget(spec.DeadTo)
	where := "#"
	if hasKey {
		where = key
		if t, err := ch.c.l.codec.DecodeName(key); err == nil {
			where = t
		}
	}
	if name == exchange.Default {
		where = queueTopic + where
	}
	s := ch.c.session
	if !s.Permits(core.ActionPublish, where) || (name != exchange.Default && name != exchange.AmqTopic && !s.Permits(core.ActionQueue, name)) {
		return refusal(core.NotAuthorized, "dead-letter exchange '"+name+"' of queue '"+spec.Name+"'")
	}
	return nil
}

// deadLetter publishes what a queue gave up to the queue's dead-letter
// exchange (AQ34). It is core's Undertaker: any goroutine.
func (l *Listener) deadLetter(t *core.Turn, d core.Dead) {
	o := exchange.Outgoing{Codec: l.codec}
	e := o.Envelope(&core.Delivery{Message: d.Message, QoS: d.Message.QoS, Attempt: 1}, t.Now)
	var p wire.Properties
	if p.Parse(e.Properties) != nil {
		return
	}
	death := exchange.Death{Queue: d.Queue.Name, Reason: deathOf(&d), Time: t.Now}
	death.Exchange, death.Key = e.Names()
	death.More = copied(&p)
	name, key, hasKey := deadTarget(d.Queue.DeadTo)
	more := death.More
	if hasKey { // instead of all keys that it had
		p.Headers, more = without(p.Headers, headerCC), nil
	} else {
		key = death.Key
	}
	exchange.Die(&p, death)
	l.host.Metrics.Counter("amqp_dead_lettered_total", death.Reason).Add(1)
	l.republish(t, &d, &p, name, key, more)
}

func deathOf(d *core.Dead) string {
	switch {
	case d.Cause == core.DropExpired:
		return exchange.DeathExpired
	case d.Cause == core.DropQueueFull:
		return exchange.DeathMaxLength
	case d.Queue.MaxAttempts > 0 && d.Attempts >= d.Queue.MaxAttempts:
		return exchange.DeathDeliveryLimit
	}
	return exchange.DeathRejected
}

// republish routes a dead letter on behalf of the gateway: as a message of
// its own for each queue.
func (l *Listener) republish(t *core.Turn, d *core.Dead, p *wire.Properties, name, key string, more []string) {
	in := exchange.Incoming{
		Envelope: exchange.Envelope{Place: exchange.Place(nil, name, key), Properties: p.AppendTo(nil)},
		P:        p, Codec: l.codec, Reliable: d.Message.QoS > 0,
	}
	send := func(to string) {
		m := &core.Message{Topic: to, Payload: d.Message.Payload}
		in.Fill(m)
		m.Retain = false
		l.host.Router.PublishSystem(t, d.Namespace, m)
	}
	if name == exchange.AmqTopic {
		if to, err := l.codec.DecodeName(key); err == nil && !strings.HasPrefix(to, "$") {
			send(to)
		}
		return
	}
	queues := append([]string{key}, more...)
	if name != exchange.Default {
		queues = l.space(d.Namespace).Route(nil, name, key, p.Headers, more...)
	}
	for _, q := range queues {
		if exchange.Cycles(p, q) {
			l.host.Metrics.Dropped(exchange.Protocol, "cycle")
			continue
		}
		send(queueTopic + q)
	}
}
