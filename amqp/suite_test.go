package amqp_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

func room(h *adapters.Host) (adapters.Room, error) {
	return amqp.Registration().New(h, &amqp091.Config{})
}

func frame(channel uint16, ms ...wire.Method) (b []byte) {
	for _, m := range ms {
		b = wire.AppendMethodFrame(b, channel, m)
	}
	return b
}

var (
	login = [][]byte{
		[]byte(wire.ProtocolHeader),
		frame(0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"}),
		frame(0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072}),
		frame(0, &wire.ConnectionOpen{VirtualHost: "/"}),
	}
	session = append(login[:4:4],
		frame(1, &wire.ChannelOpen{}),
		frame(1, &wire.QueueDeclare{Queue: "q", Durable: true}),
		frame(1, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a.#"}),
		frame(1, &wire.ConfirmSelect{}),
		publish("amq.topic", "a.b", "hello"),
		frame(1, &wire.BasicGet{Queue: "q"}),
		frame(1, &wire.BasicAck{DeliveryTag: 1}),
		frame(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"}),
	)
)

// frames lists the frames of an output in an order of its own.
func frames(b []byte) (all []string) {
	for len(b) > 0 {
		_, n, err := wire.Scan(b, 131072)
		if err != nil {
			return append(all, err.Error())
		}
		all, b = append(all, string(b[:n])), b[n:]
	}
	slices.Sort(all)
	return all
}

func publish(exchange, key, body string) []byte {
	b := frame(1, &wire.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)})
	h := wire.Header{Class: 60, BodySize: uint64(len(body))}
	return wire.AppendBody(h.AppendFrame(b, 1), 1, []byte(body), 131072)
}

func TestAdapterSuite(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Suite{
		Room: room, Script: session,
		Login: func(c *adaptertest.Conn) {
			for _, b := range login {
				c.Send(b)
			}
		},
		Equal: func(whole, bytewise []byte) bool { // one confirm covers what one read brought
			return slices.Equal(frames(whole), frames(bytewise))
		},
		Oversized: append(login[:4:4], []byte("\x01\x00\x01\x7f\xff\xff\xff")),
		Farewell: func(r core.Reason, said []byte) error {
			f, _, err := wire.Scan(said, 131072)
			if err != nil {
				return err
			}
			m, err := wire.ParseMethod(f.Payload)
			if err != nil {
				return err
			}
			if c, ok := m.(*wire.ConnectionClose); !ok || c.Code == 0 {
				return errors.New("no connection.close")
			}
			return nil
		},
	})
}
