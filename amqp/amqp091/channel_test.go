package amqp091_test

import (
	"testing"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestAMQP_AQ4_MethodInsideAContent(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.BasicPublish{RoutingKey: []byte("q")}, &wire.BasicQos{})
		p.expectPrefix("0 connection.close Code:505")
	})
}

func TestAMQP_AQ4_HeaderOrBodyOutOfPlace(t *testing.T) {
	simulate(t, func(w *world) {
		for name, c := range map[string]struct {
			in   []byte
			want string
		}{
			"header alone":  {(&wire.Header{Class: 60}).AppendFrame(nil, 1), "0 connection.close Code:505"},
			"body alone":    {wire.AppendBody(nil, 1, []byte("x"), 4096), "0 connection.close Code:505"},
			"body too long": {tooLong(), "0 connection.close Code:501"},
		} {
			p := w.dial()
			p.Send(c.in)
			if got := p.recv(); len(got) != 1 || got[0][:len(c.want)] != c.want {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// tooLong announces one octet and sends two.
func tooLong() []byte {
	b := wire.AppendMethodFrame(nil, 1, &wire.BasicPublish{})
	b = (&wire.Header{Class: 60, BodySize: 1}).AppendFrame(b, 1)
	return wire.AppendBody(b, 1, []byte("xy"), 4096)
}

func TestAMQP_AQ5_ContentsOfChannelsInterleave(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(2, &wire.ChannelOpen{})
		p.send(1, &wire.QueueDeclare{Queue: "q"})
		p.recv()
		one := content(1, &wire.BasicPublish{RoutingKey: []byte("q")}, nil, "one", 4096)
		two := content(2, &wire.BasicPublish{RoutingKey: []byte("q")}, nil, "two", 4096)
		for len(one) > 0 {
			for _, b := range []*[]byte{&one, &two} {
				_, n, err := wire.Scan(*b, 4096)
				if err != nil {
					t.Fatal(err)
				}
				p.Send((*b)[:n])
				*b = (*b)[n:]
			}
		}
		p.call("1 queue.declare-ok Queue:q MessageCount:2 ConsumerCount:0", &wire.QueueDeclare{Queue: "q", Passive: true})
	})
}

func TestAMQP_AQ19_ChannelsOpenAndCloseWithoutEnd(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		for range 100 {
			p.send(7, &wire.ChannelOpen{}, &wire.ChannelClose{Code: 200})
			p.expect("7 channel.open-ok\n7 channel.close-ok")
		}
		for ch := uint16(2); ch <= 2047; ch++ {
			p.send(ch, &wire.ChannelOpen{})
		}
		if got := p.recv(); len(got) != 2046 {
			t.Fatal(len(got))
		}
		p.send(2048, &wire.ChannelOpen{})
		p.expectPrefix("0 connection.close Code:530")
	})
}

func TestChannelThatIsNotOpen(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(2, &wire.BasicQos{})
		p.expectPrefix("0 connection.close Code:504")
		p = w.dial()
		p.send(1, &wire.ChannelOpen{})
		p.expectPrefix("0 connection.close Code:504")
	})
}

func TestAMQP_AQ20_AnErrorEndsItsChannelAlone(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(2, &wire.ChannelOpen{})
		p.recv()
		p.send(1, &wire.QueueDeclare{Queue: "none", Passive: true}, &wire.QueueDeclare{Queue: "dropped"})
		p.expect("1 channel.close Code:404 Text:NOT_FOUND - no queue 'none' in vhost '/' ClassID:50 MethodID:10")
		p.publish("", "none", "dropped too")
		p.send(2, &wire.BasicQos{})
		p.expect("2 basic.qos-ok")
		p.send(1, &wire.ChannelClose{Code: 200}) // crosses ours
		p.expect("1 channel.close-ok")
		p.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{}, &wire.BasicQos{})
		p.expect("1 channel.open-ok\n1 basic.qos-ok")
	})
}

func TestAMQP_AQ21_FlowPausesDeliveries(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true}, &wire.ChannelFlow{Active: false})
		p.recv()
		p.publish("", "q", "m")
		p.expect("")
		p.call("1 channel.flow-ok Active:true\n"+deliver("c", 1, false, "", "q", `"m"`), &wire.ChannelFlow{Active: true})
	})
}

// Who was woken and cannot take leaves the message to another consumer.
func TestAMQP_AQ21_AConsumerThatIsStoppedHoldsNothing(t *testing.T) {
	for name, stop := range map[string][]wire.Method{
		"flow":   {consume("q", "c"), &wire.ChannelFlow{Active: false}},
		"window": {&wire.BasicQos{PrefetchCount: 1, Global: true}, consume("q", "c"), &wire.QueueDeclare{Queue: "own"}, consume("own", "o")},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				p, other := w.dial(), w.dial()
				p.send(1, append([]wire.Method{&wire.QueueDeclare{Queue: "q"}}, stop...)...)
				p.recv()
				if name == "window" { // another consumer of the channel has the only place
					other.publish("", "own", "x")
					p.expect(deliver("o", 1, false, "", "own", `"x"`))
				}
				other.call("1 basic.consume-ok ConsumerTag:d", consume("q", "d"))
				w.dial().publish("", "q", "m")
				p.expect("")
				other.expect(deliver("d", 1, false, "", "q", `"m"`))
			})
		})
	}
}

func TestAMQP_AQ22_AccessRequestAnswersOne(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.call("1 access.request-ok Ticket:1", &wire.AccessRequest{Realm: "/data"})
	})
}

func TestAMQP_AQ22_RepliesKeepTheOrderOfRequests(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial() // the durable declaration waits for the store, the others do not
		p.call(`1 queue.declare-ok Queue:d MessageCount:0 ConsumerCount:0
			1 queue.bind-ok
			1 basic.qos-ok`,
			&wire.QueueDeclare{Queue: "d", Durable: true}, &wire.QueueBind{Queue: "d", Exchange: "amq.topic", RoutingKey: "a"}, &wire.BasicQos{})
	})
}

func TestMethodsThatAreNotForAServer(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclareOk{})
		p.expectPrefix("0 connection.close Code:503")
		p = w.dial()
		p.send(1, &wire.ConnectionOpen{})
		p.expectPrefix("0 connection.close Code:503")
		p = w.dial()
		p.Send([]byte("\x01\x00\x01\x00\x00\x00\x04\x00\x63\x00\x01\xce"))
		p.expectPrefix("0 connection.close Code:540")
	})
}
