package amqp091

import (
	"fmt"
	"strconv"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// channel is one channel of a connection.
type channel struct {
	c       *Conn
	id      uint16
	closing bool // channel.close was sent: everything but close and close-ok is dropped

	content   content
	confirms  confirms
	tx        *transaction
	lastQueue string // what an empty queue name means (AQ29)
	replies   string // queue of direct replies; "": not consumed
	place     place  // where the last publish went

	prefetch  int // window of consumers started later; 0: none
	shared    int // window of the whole channel; 0: none
	taken     int // by consumers, with acknowledgement, and not settled: what shared bounds
	paused    bool
	consumers map[string]*consumer
	tag       uint64 // last delivery tag
	unacked   unacked
}

// channelFrame handles a frame of a channel other than 0.
func (c *Conn) channelFrame(f wire.Frame) {
	ch := c.channels[f.Channel]
	if ch == nil {
		if err := c.openChannel(f); err != nil {
			c.fail(err)
		}
		return
	}
	if err := ch.frame(f); err != nil {
		ch.fault(code(err))
	}
}

// openChannel: the first frame of a channel is channel.open (AQ19). What the
// client sent before it learned that the channel is closed is not told from
// this, and close-ok has come by then.
func (c *Conn) openChannel(f wire.Frame) error {
	var id wire.ID
	if f.Type == wire.FrameMethod {
		id, _ = wire.PeekID(f.Payload)
	}
	switch {
	case id != wire.IDChannelOpen:
		return &wire.Error{Code: wire.ChannelError, Text: fmt.Sprintf("channel %d is not open", f.Channel), ID: id}
	case int(f.Channel) > c.chanMax:
		return &wire.Error{Code: wire.NotAllowed, Text: fmt.Sprintf("channel %d is above channel-max %d", f.Channel, c.chanMax), ID: id}
	}
	if _, err := parse(f.Payload); err != nil {
		return err
	}
	ch := &channel{c: c, id: f.Channel}
	c.channels[f.Channel] = ch
	c.l.count.channels.Add(1)
	c.listed.channels.Add(1)
	ch.send(&wire.ChannelOpenOk{})
	return nil
}

// send appends a method on the channel.
func (ch *channel) send(m wire.Method) {
	ch.c.out.B = wire.AppendMethodFrame(ch.c.out.B, ch.id, m)
}

func (ch *channel) frame(f wire.Frame) error {
	if ch.closing {
		return ch.drain(f)
	}
	switch f.Type {
	case wire.FrameHeader:
		return ch.header(f.Payload)
	case wire.FrameBody:
		return ch.body(f.Payload)
	}
	id, err := wire.PeekID(f.Payload)
	if err != nil {
		return early(err)
	}
	if ch.content.expected() && id != wire.IDChannelClose { // AQ4
		return &wire.Error{Code: wire.UnexpectedFrame, Text: "method inside a content", ID: id}
	}
	switch id {
	case wire.IDBasicPublish:
		return ch.publish(f.Payload)
	case wire.IDBasicAck:
		return ch.ackFrame(f.Payload)
	}
	m, err := parse(f.Payload)
	if err != nil {
		return err
	}
	return named(ch.method(m), id)
}

// named says which method an error is about.
func named(err error, id wire.ID) error {
	if err == nil {
		return nil
	}
	e := code(err)
	if e.ID == 0 {
		e.ID = id
	}
	return e
}

func (ch *channel) method(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ChannelOpen:
		return &wire.Error{Code: wire.ChannelError, Text: "channel " + strconv.Itoa(int(ch.id)) + " is open already"}
	case *wire.ChannelFlow:
		return ch.flow(m)
	case *wire.ChannelFlowOk:
		return nil
	case *wire.ChannelClose:
		ch.closed()
		return nil
	case *wire.AccessRequest:
		ch.send(&wire.AccessRequestOk{Ticket: 1}) // AQ22
		return nil
	case *wire.ConfirmSelect:
		return ch.confirmSelect(m)
	case *wire.TxSelect:
		return ch.txSelect()
	case *wire.TxCommit:
		return ch.txCommit()
	case *wire.TxRollback:
		return ch.txRollback()
	}
	if m.ID().Class() == wire.IDBasicQos.Class() {
		return ch.basic(m)
	}
	return ch.topology(m)
}

// topology handles the classes exchange and queue.
func (ch *channel) topology(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ExchangeDeclare:
		return ch.exchangeDeclare(m)
	case *wire.ExchangeDelete:
		return ch.exchangeDelete(m)
	case *wire.ExchangeBind:
		return ch.exchangeBind(m)
	case *wire.ExchangeUnbind:
		return ch.exchangeUnbind(m)
	case *wire.QueueDeclare:
		return ch.queueDeclare(m)
	case *wire.QueueBind:
		return ch.queueBind(m)
	case *wire.QueueUnbind:
		return ch.queueUnbind(m)
	case *wire.QueuePurge:
		return ch.queuePurge(m)
	case *wire.QueueDelete:
		return ch.queueDelete(m)
	}
	return &wire.Error{Code: wire.CommandInvalid, Text: m.ID().String() + " is not for a server"}
}

// basic handles the class basic but for publish and ack.
func (ch *channel) basic(m wire.Method) error {
	switch m := m.(type) {
	case *wire.BasicQos:
		return ch.qos(m)
	case *wire.BasicConsume:
		return ch.consume(m)
	case *wire.BasicCancel:
		return ch.cancel(m)
	case *wire.BasicCancelOk:
		return nil
	case *wire.BasicGet:
		return ch.get(m)
	case *wire.BasicReject:
		return ch.nack(m.DeliveryTag, false, m.Requeue)
	case *wire.BasicNack:
		return ch.nack(m.DeliveryTag, m.Multiple, m.Requeue)
	case *wire.BasicRecover:
		return ch.recover(m.Requeue, true)
	case *wire.BasicRecoverAsync:
		return ch.recover(m.Requeue, false)
	}
	return &wire.Error{Code: wire.CommandInvalid, Text: m.ID().String() + " is not for a server"}
}

// flow pauses and resumes deliveries to the channel (AQ21).
func (ch *channel) flow(m *wire.ChannelFlow) error {
	ch.paused = !m.Active
	ch.send(&wire.ChannelFlowOk{Active: m.Active})
	if m.Active {
		ch.wakeConsumers()
	}
	return nil
}

// fault ends what the error says: the channel, or the whole connection.
func (ch *channel) fault(e *wire.Error) {
	c := ch.c
	if e.Code.Hard() {
		c.fail(e)
		return
	}
	c.l.failed(e)
	ch.confirms.flush(ch) // earlier publishes keep their confirm (AQ40)
	ch.release()
	ch.closing = true
	ch.send(&wire.ChannelClose{Code: uint16(e.Code), Text: e.ReplyText(), ClassID: e.ID.Class(), MethodID: e.ID.Method()})
}

// drain drops what the client sent before it saw our close (section 4); a
// close that crosses ours is answered (AQ20).
func (ch *channel) drain(f wire.Frame) error {
	if f.Type != wire.FrameMethod {
		return nil
	}
	switch id, _ := wire.PeekID(f.Payload); id {
	case wire.IDChannelCloseOk:
		ch.gone()
	case wire.IDChannelClose:
		ch.send(&wire.ChannelCloseOk{})
	}
	return nil
}

// closed answers the client's close; what it has not acknowledged returns.
// Confirms that wait for the store hold close-ok back (AQ42).
func (ch *channel) closed() {
	seq, pending := ch.confirms.last()
	ch.c.wait(seq, pending, func(bool) {
		ch.confirms.flush(ch)
		ch.release()
		ch.gone()
		ch.send(&wire.ChannelCloseOk{})
	})
}

// gone frees the channel's number.
func (ch *channel) gone() {
	delete(ch.c.channels, ch.id)
	down(ch.c.l.count.channels, 1)
	ch.c.listed.channels.Add(-1)
}

// release gives back what the channel holds.
func (ch *channel) release() {
	t := ch.c.t
	ch.uncount()
	for _, cons := range ch.consumers {
		cons.ended = true
		cons.core.Cancel(t)
	}
	ch.unacked.release(t)
	ch.content.forget(ch.c)
	ch.consumers, ch.content, ch.tx, ch.taken = nil, content{}, nil, 0
	ch.confirms = confirms{}
}

// queueName is the name, or the queue declared last on the channel (AQ29).
func (ch *channel) queueName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", &wire.Error{Code: wire.NotFound, Text: "no previously declared queue"}
	}
	return ch.lastQueue, nil
}
