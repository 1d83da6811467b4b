package amqp091_test

import (
	"testing"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// press sets the pressure; turns that begin later know it.
func (w *world) press(l core.Level) { w.Router.SetPressure(core.Pressure{Level: l}) }

func TestSecurity_O3_AMQPPublishersAreBlockedAndToldOnce(t *testing.T) {
	simulate(t, func(w *world) {
		p, consumer := w.dial(), w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Durable: true}, &wire.ConfirmSelect{})
		p.recv()
		consumer.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
		consumer.recv()
		w.press(core.LevelBrake)
		p.publish("", "q", "1")
		p.expect("0 connection.blocked Reason:overload\n1 basic.ack DeliveryTag:1 Multiple:false")
		p.publish("", "q", "2")
		p.expect("1 basic.ack DeliveryTag:2 Multiple:false")
		if got := consumer.recv(); len(got) != 2 {
			t.Errorf("the consumer got %q", got)
		}
		w.press(core.LevelNormal)
		p.Send(content(1, to("", "q"), persistent, "3", p.max)) // its confirm wakes the connection, as the loop does
		p.expect("0 connection.unblocked\n1 basic.ack DeliveryTag:3 Multiple:false")
	})
}

func TestSecurity_O4_AMQPConfirmsSayNoAndChannelsWithoutThemEndBy406(t *testing.T) {
	simulate(t, func(w *world) {
		p, plain := w.dial(), w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Durable: true}, &wire.ConfirmSelect{})
		p.recv()
		w.press(core.LevelRefuse)
		p.Send(content(1, to("", "q"), persistent, "m", p.max))
		p.expect("0 connection.blocked Reason:overload\n1 basic.nack DeliveryTag:1 Multiple:false Requeue:false")
		plain.Send(content(1, to("", "q"), persistent, "m", plain.max))
		plain.expect("0 connection.blocked Reason:overload\n1 channel.close Code:406 Text:PRECONDITION_FAILED - publish to exchange '': busy ClassID:60 MethodID:40")
	})
}

// A connection has no 406: what is refused is the whole of it (SECURITY L5).
func TestSecurity_O4_AMQPConnectionsAreRefusedWith320(t *testing.T) {
	simulate(t, func(w *world) {
		w.press(core.LevelRefuse)
		p := w.raw()
		p.SendString(wire.ProtocolHeader)
		p.send(0, startOk("guest", "guest"), &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072})
		p.recv()
		p.send(0, vhost)
		p.expectPrefix("0 connection.close Code:320 Text:CONNECTION_FORCED - connection was refused: busy")
	})
}
