package amqp091

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// queueDeclare makes a queue, finds it equal, or inspects it (AQ29-AQ31).
func (ch *channel) queueDeclare(m *wire.QueueDeclare) error {
	name := m.Queue
	if m.Passive {
		name, err := ch.queueName(name)
		if err != nil {
			return err
		}
		info, r := ch.c.session.Touch(ch.c.t, name)
		if r != core.OK {
			return queueError(r, name)
		}
		ch.declared(m, name, info)
		return nil
	}
	unnamed := name == ""
	if unnamed {
		name = generated("amq.gen-")
	} else if strings.HasPrefix(name, "amq.") {
		if _, r := ch.c.session.Inspect(name); r != core.OK {
			return &wire.Error{Code: wire.AccessRefused, Text: "queue name '" + name + "' is reserved"}
		}
	}
	spec, err := queueSpec(m, name)
	if err != nil {
		return err
	}
	spec.Unnamed = unnamed
	if err := ch.mayDeadLetter(&spec); err != nil {
		return err
	}
	info, created, seq, pending, r := ch.c.session.Declare(ch.c.t, spec)
	if r != core.OK {
		return queueError(r, name)
	}
	if created {
		ch.dropQueue(name) // bindings of a queue of that name that has gone
	}
	ch.after(&noted{seq, pending}, m.ID(), func() { ch.declared(m, name, info) })
	return nil
}

func (ch *channel) declared(m *wire.QueueDeclare, name string, info core.QueueInfo) {
	ch.lastQueue = name
	if !m.NoWait {
		ch.send(&wire.QueueDeclareOk{Queue: name, MessageCount: uint32(info.Waiting), ConsumerCount: uint32(info.Consumers)})
	}
}

// generated is a name that nobody else has: 22 base64url characters.
func generated(prefix string) string {
	var b [16]byte
	rand.Read(b[:])
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// queueError is what a refused action on a queue tells the client.
func queueError(r core.Reason, name string) *wire.Error {
	switch r {
	case core.NotFound:
		return &wire.Error{Code: wire.NotFound, Text: "no queue '" + name + "' in vhost '/'"}
	case core.Locked:
		return &wire.Error{Code: wire.ResourceLocked, Text: "cannot obtain exclusive access to locked queue '" + name + "' in vhost '/'"}
	case core.Exists:
		return &wire.Error{Code: wire.PreconditionFailed, Text: "queue '" + name + "' in vhost '/' exists with other properties"}
	}
	return refusal(r, "queue '"+name+"' in vhost '/'")
}

// queuePurge drops what waits (AQ32).
func (ch *channel) queuePurge(m *wire.QueuePurge) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	n, r := ch.c.session.Purge(ch.c.t, name)
	if r != core.OK {
		return queueError(r, name)
	}
	if !m.NoWait {
		ch.send(&wire.QueuePurgeOk{MessageCount: uint32(n)})
	}
	return nil
}

// queueDelete removes a queue; one that is missing is fine (AQ31).
func (ch *channel) queueDelete(m *wire.QueueDelete) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	n, r := ch.c.session.Delete(ch.c.t, name, m.IfUnused, m.IfEmpty)
	switch r {
	case core.OK:
		ch.dropQueue(name)
	case core.NotFound:
	default:
		return queueError(r, name)
	}
	if !m.NoWait {
		ch.send(&wire.QueueDeleteOk{MessageCount: uint32(n)})
	}
	return nil
}

// dropQueue removes the bindings of a queue that is gone.
func (ch *channel) dropQueue(name string) {
	var n noted
	ch.c.space.DropQueue(name, n.in(ch.c))
}
