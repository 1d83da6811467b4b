package amqp091_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// One in three deliveries takes the way through the queue, and one in three
// runs. What a client gets does not tell which.
func TestWhatGoesOutAsItComesKeepsItsPlaceAndItsTag(t *testing.T) {
	simulate(t, func(w *world) {
		p, other := w.dial(), w.dial()
		p.call("1 queue.declare-ok Queue:q MessageCount:0 ConsumerCount:0\n1 queue.bind-ok\n1 basic.consume-ok ConsumerTag:c", &wire.QueueDeclare{Queue: "q", Exclusive: true},
			&wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "#"}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
		tag, want := 0, ""
		expect := func(mode, topic string, bodies ...string) {
			for _, b := range bodies {
				tag++
				want += deliver("c", tag, false, "amq.topic", topic, mode+fmt.Sprintf("%q", short(b))) + "\n"
			}
		}
		for i := range 60 {
			topic := []string{"a.b", "a.c"}[i/7%2]
			switch i % 3 {
			case 0:
				bodies := []string{fmt.Sprint(i), "", strings.Repeat("y", 1+i*100)}
				w.Together(strings.ReplaceAll(topic, ".", "/"), bodies...)
				expect("mode=1 ", topic, bodies...)
			case 1:
				other.publish("amq.topic", topic, fmt.Sprint(i))
				expect("", topic, fmt.Sprint(i))
			case 2: // it waits for nobody, and is stored for nobody
				other.publishWith(to("amq.topic", topic), persistent, fmt.Sprint(i))
				expect("mode=2 ", topic, fmt.Sprint(i))
			}
			p.expect(want)
			want = ""
		}
		p.counts("q", 0, 1)
	})
}

// A body of a run that needs several frames is delivered in several.
func TestARunWithABodyOfSeveralFrames(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.raw()
		p.max = wire.FrameMinSize
		p.SendString(wire.ProtocolHeader)
		p.send(0, startOk("guest", "guest"), &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: wire.FrameMinSize}, &wire.ConnectionOpen{VirtualHost: "/"})
		p.send(1, &wire.ChannelOpen{}, &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a"}, consumeNoAck("q", "c"))
		p.recv()
		for i := range 4 {
			w.Together("a", "small", strings.Repeat("x", wire.FrameMinSize-wire.Overhead), strings.Repeat("x", wire.FrameMinSize))
			p.expect(deliver("c", 3*i+1, false, "amq.topic", "a", `mode=1 "small"`) + "\n" +
				deliver("c", 3*i+2, false, "amq.topic", "a", `mode=1 "4088 octets"`) + "\n" + deliver("c", 3*i+3, false, "amq.topic", "a", `mode=1 "4096 octets"`))
		}
	})
}

func TestAMQP_AQ21_FlowPausesWhatWouldGoOutAsItComes(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a"}, consumeNoAck("q", "c"), &wire.ChannelFlow{Active: false})
		p.recv()
		var want strings.Builder
		for i := range 9 {
			w.Together("a", fmt.Sprint(i), "x")
			p.expect("")
			fmt.Fprintln(&want, deliver("c", 2*i+1, false, "amq.topic", "a", fmt.Sprintf(`mode=1 "%d"`, i)))
			fmt.Fprintln(&want, deliver("c", 2*i+2, false, "amq.topic", "a", `mode=1 "x"`))
		}
		p.call("1 channel.flow-ok Active:true\n"+want.String(), &wire.ChannelFlow{Active: true})
	})
}

func TestAMQP_AQ45_NoLocalHoldsForWhatWouldGoOutAsItComes(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.call("1 queue.declare-ok Queue:q MessageCount:0 ConsumerCount:0\n1 basic.consume-ok ConsumerTag:c",
			&wire.QueueDeclare{Queue: "q"}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoLocal: true, NoAck: true})
		for range 3 {
			p.publish("", "q", "mine")
			p.expect("")
		}
		for i := range 6 {
			q.publish("", "q", "yours")
			p.expect(deliver("c", i+1, false, "", "q", `"yours"`))
		}
	})
}

func consumeNoAck(queue, tag string) *wire.BasicConsume {
	return &wire.BasicConsume{Queue: queue, ConsumerTag: tag, NoAck: true}
}

func TestWhatNeedsAnAcknowledgementTakesItsWayThroughTheQueue(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a"}, &wire.BasicQos{PrefetchCount: 2}, consume("q", "c"))
		p.recv()
		w.Together("a", "1", "2", "3", "4")
		p.expect(deliver("c", 1, false, "amq.topic", "a", `mode=1 "1"`) + "\n" + deliver("c", 2, false, "amq.topic", "a", `mode=1 "2"`))
		p.call(deliver("c", 3, false, "amq.topic", "a", `mode=1 "3"`)+"\n"+deliver("c", 4, false, "amq.topic", "a", `mode=1 "4"`), &wire.BasicAck{DeliveryTag: 2, Multiple: true})
	})
}
