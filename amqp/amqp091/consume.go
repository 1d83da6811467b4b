package amqp091

import (
	"math"
	"strconv"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// consumer is one basic.consume.
type consumer struct {
	ch       *channel
	core     *core.Consumer
	tag      string
	noAck    bool
	replies  bool            // of the channel's reply queue
	prefetch int             // its own window; 0: unlimited
	held     int             // delivered, not acknowledged
	last     uint64          // delivery tag of its last delivery
	carry    []core.Delivery // taken, and not written yet: the output was full
	hungry   bool            // more may wait, and nobody will call: stopped by window, flow or a full output
	listed   bool            // in the connection's backlog
	ended    bool            // cancelled: no deliver follows
}

// consume starts a consumer (AQ45).
func (ch *channel) consume(m *wire.BasicConsume) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	tag := m.ConsumerTag
	if tag == "" {
		tag = generated("amq.ctag-")
	}
	switch {
	case ch.consumers[tag] != nil:
		return &wire.Error{Code: wire.NotAllowed, Text: "consumer tag '" + tag + "' is in use on the channel"}
	case len(ch.consumers) >= ch.c.l.config.MaxConsumers:
		return &wire.Error{Code: wire.ResourceError, Text: "more than " + strconv.Itoa(ch.c.l.config.MaxConsumers) + " consumers on a channel"}
	}
	o := core.ConsumeOptions{QoS: 2, NoAck: m.NoAck, AckAll: true, NoLocal: m.NoLocal, Exclusive: m.Exclusive}
	if err := consumeArguments(&o, m.Arguments); err != nil {
		return err
	}
	if name == directReply {
		if name, err = ch.replyQueue(m); err != nil {
			return err
		}
	}
	cc, r := ch.c.session.Consume(ch.c.t, name, o)
	switch r {
	case core.OK:
	case core.InUse:
		return &wire.Error{Code: wire.AccessRefused, Text: "queue '" + name + "' in vhost '/' in exclusive use"}
	default:
		return queueError(r, name)
	}
	cons := &consumer{ch: ch, core: cc, tag: tag, noAck: m.NoAck, prefetch: ch.prefetch, replies: name == ch.replies}
	cc.Data = cons
	if ch.consumers == nil {
		ch.consumers = map[string]*consumer{}
	}
	ch.consumers[tag] = cons
	ch.c.l.count.consumers.Add(1)
	if !m.NoWait {
		ch.send(&wire.BasicConsumeOk{ConsumerTag: tag})
	}
	return nil
}

// cancel ends a consumer; an unknown tag is fine (AQ47). What it holds stays
// settleable: the core's consumer lives until the last of it is settled.
func (ch *channel) cancel(m *wire.BasicCancel) error {
	if cons := ch.consumers[m.ConsumerTag]; cons != nil {
		delete(ch.consumers, m.ConsumerTag)
		down(ch.c.l.count.consumers, 1)
		cons.drop()
		cons.ended = true
		if cons.replies {
			ch.replies = ""
		}
		cons.leave()
		if ch.shared > 0 { // what it gave back leaves room for others
			ch.wakeConsumers()
		}
	}
	if !m.NoWait {
		ch.send(&wire.BasicCancelOk{ConsumerTag: m.ConsumerTag})
	}
	return nil
}

// leave ends the core's consumer of one that was cancelled, once nothing is
// held any more; until then it takes nothing.
func (cons *consumer) leave() {
	if cons.held == 0 {
		cons.core.Cancel(cons.ch.c.t)
	} else {
		cons.core.Stop(cons.ch.c.t)
	}
}

// gone tells the client that the queue of a consumer was deleted (AQ47).
func (cons *consumer) gone() {
	ch := cons.ch
	if cons.ended {
		return
	}
	cons.ended = true
	if !cons.noAck {
		ch.taken -= len(cons.carry)
	}
	cons.carry = nil
	delete(ch.consumers, cons.tag)
	down(ch.c.l.count.consumers, 1)
	if ch.c.client.cancelNotify && !ch.closing {
		ch.send(&wire.BasicCancel{ConsumerTag: cons.tag, NoWait: true})
	}
}

// qos sets the window of later consumers, or of the channel (AQ44).
func (ch *channel) qos(m *wire.BasicQos) error {
	if m.PrefetchSize > 0 {
		return &wire.Error{Code: wire.NotImplemented, Text: "prefetch_size is not offered"}
	}
	if m.Global {
		ch.shared = int(m.PrefetchCount)
		ch.wakeConsumers()
	} else {
		ch.prefetch = int(m.PrefetchCount)
	}
	ch.send(&wire.BasicQosOk{})
	return nil
}

// window is how many more deliveries the consumer may have.
func (cons *consumer) window() int {
	n := math.MaxInt32
	if cons.noAck {
		return n
	}
	if cons.prefetch > 0 {
		n = cons.prefetch - cons.held - len(cons.carry)
	}
	if shared := cons.ch.shared; shared > 0 {
		n = min(n, shared-cons.ch.taken)
	}
	return n
}
