package amqp091_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// scripted makes methods out of octets: few names, so that they meet.
type scripted struct {
	b []byte
}

func (s *scripted) next() int {
	if len(s.b) == 0 {
		return 0
	}
	n := int(s.b[0])
	s.b = s.b[1:]
	return n
}

func (s *scripted) bit() bool { return s.next()&1 == 1 }
func (s *scripted) name() string {
	return []string{"", "a", "b", "amq.topic", "amq.direct", "x"}[s.next()%6]
}
func (s *scripted) key() string { return []string{"", "a", "a.b", "#", "*.b", "a.#.b"}[s.next()%6] }
func (s *scripted) tag() uint64 { return uint64(s.next() % 8) }

func (s *scripted) arguments() wire.Table {
	switch s.next() % 8 {
	case 0:
		return wire.Table{}.Append("x-dead-letter-exchange", wire.Longstr(s.name())).Append("x-message-ttl", wire.Int(1))
	case 1:
		return wire.Table{}.Append("x-dead-letter-exchange", wire.Longstr("")).Append("x-dead-letter-routing-key", wire.Longstr(s.name())).Append("x-max-length", wire.Int(1))
	case 2:
		return wire.Table{}.Append("x-single-active-consumer", wire.Bool(true)).Append("x-delivery-limit", wire.Int(1))
	}
	return nil
}

func (s *scripted) method() wire.Method {
	switch s.next() % 24 {
	case 0, 1:
		return &wire.QueueDeclare{Arguments: s.arguments(), Queue: s.name(), Durable: s.bit(), Exclusive: s.bit(), AutoDelete: s.bit(), Passive: s.next()%8 == 7, NoWait: s.bit()}
	case 2, 3:
		return &wire.QueueBind{Queue: s.name(), Exchange: s.name(), RoutingKey: s.key()}
	case 4:
		return &wire.QueueUnbind{Queue: s.name(), Exchange: s.name(), RoutingKey: s.key()}
	case 5:
		return &wire.QueueDelete{Queue: s.name(), IfUnused: s.bit(), IfEmpty: s.bit()}
	case 6:
		return &wire.QueuePurge{Queue: s.name()}
	case 7, 8:
		return &wire.BasicConsume{Queue: s.name(), ConsumerTag: s.key(), NoAck: s.bit(), Exclusive: s.next()%8 == 7, NoLocal: s.bit()}
	case 9:
		return &wire.BasicCancel{ConsumerTag: s.key()}
	case 10:
		return &wire.BasicGet{Queue: s.name(), NoAck: s.bit()}
	case 11, 12:
		return &wire.BasicAck{DeliveryTag: s.tag(), Multiple: s.bit()}
	case 13:
		return &wire.BasicNack{DeliveryTag: s.tag(), Multiple: s.bit(), Requeue: s.bit()}
	case 14:
		return &wire.BasicRecover{Requeue: true}
	case 15:
		return &wire.BasicQos{PrefetchCount: uint16(s.tag()), Global: s.bit()}
	case 16:
		return &wire.ConfirmSelect{}
	case 17:
		return []wire.Method{&wire.TxSelect{}, &wire.TxCommit{}, &wire.TxRollback{}}[s.next()%3]
	case 18:
		return &wire.ChannelFlow{Active: s.bit()}
	case 19:
		return []wire.Method{&wire.ChannelOpen{}, &wire.ChannelClose{}, &wire.ChannelCloseOk{}}[s.next()%3]
	case 20:
		return &wire.ExchangeDeclare{Exchange: s.name(), Type: []string{"direct", "fanout", "topic", "headers"}[s.next()%4], Durable: s.bit(), AutoDelete: s.bit()}
	case 21:
		return &wire.ExchangeDelete{Exchange: s.name()}
	case 22:
		return &wire.ExchangeBind{Destination: s.name(), Source: s.name(), RoutingKey: s.key()}
	}
	return nil // a publish
}

// AQ57: no method order panics or hangs, and what we say is always AMQP.
func FuzzAMQP_AQ57_AnyMethodOrder(f *testing.F) {
	for seed := range uint64(20) {
		b := make([]byte, 400)
		r := rand.New(rand.NewPCG(seed, 1))
		for i := 0; i < len(b); i += 8 {
			binary.BigEndian.PutUint64(b[i:], r.Uint64())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		adaptertest.Test(t, room(amqp091.Config{}), adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
			w := &world{t: t, Driver: d}
			peers := []*peer{w.dial(), w.dial()}
			for s := (&scripted{b: b}); len(s.b) > 0; {
				i := s.next() % 2
				if _, closed := peers[i].Closed(); closed {
					peers[i] = w.dial()
				}
				p := peers[i]
				if m := s.method(); m != nil {
					p.send(1, m)
				} else {
					p.publishWith(&wire.BasicPublish{Exchange: []byte(s.name()), RoutingKey: []byte(s.key()), Mandatory: s.bit()}, persistent, "m")
				}
				if s.next()%8 == 0 {
					w.Advance(5 * time.Millisecond)
				}
				for _, line := range p.recv() {
					if contains(line, "channel.close ") {
						p.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
						p.recv()
						break
					}
				}
			}
		})
	})
}
