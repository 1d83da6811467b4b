package amqp091_test

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestAMQP_AQ43_CommitTakesEffectTogether(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.queue("in", "1")
		p.send(1, &wire.QueueDeclare{Queue: "out", Durable: true}, &wire.TxSelect{}, &wire.TxSelect{}, &wire.BasicGet{Queue: "in"})
		p.recv()
		p.publishWith(to("", "out"), persistent, "2")
		p.send(1, &wire.BasicAck{DeliveryTag: 1})
		q.counts("out", 0, 0)
		p.call("1 tx.commit-ok", &wire.TxCommit{})
		q.counts("out", 1, 0)
		p.send(1, &wire.ChannelClose{Code: 200})
		q.counts("in", 0, 0)
	})
}

func TestAMQP_AQ43_RollbackLeavesDeliveriesUnacknowledged(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.queue("in", "1")
		p.queue("out")
		p.send(1, &wire.TxSelect{}, &wire.BasicGet{Queue: "in"})
		p.publish("", "out", "2")
		p.send(1, &wire.BasicAck{DeliveryTag: 1})
		p.recv()
		p.call("1 tx.rollback-ok\n1 tx.commit-ok", &wire.TxRollback{}, &wire.TxCommit{})
		q.counts("out", 0, 0)
		p.call("1 tx.commit-ok", &wire.BasicAck{DeliveryTag: 1}, &wire.TxCommit{})
		p.call("1 channel.close-ok", &wire.ChannelClose{Code: 200})
		q.counts("in", 0, 0)
	})
}

func TestAMQP_AQ43_TxAndConfirmExcludeEachOther(t *testing.T) {
	simulate(t, func(w *world) {
		w.refused("1 channel.close Code:406", &wire.TxCommit{})
		w.refused("1 channel.close Code:406", &wire.TxRollback{})
		w.refused("1 channel.close Code:406", &wire.TxSelect{}, &wire.ConfirmSelect{})
		w.refused("1 channel.close Code:406", &wire.ConfirmSelect{}, &wire.TxSelect{})
	})
}

func TestMaxTxBoundsATransaction(t *testing.T) {
	simulateWith(t, amqp091.Config{MaxTx: 2}, adaptertest.Options{}, func(w *world) {
		p := w.dial()
		p.send(1, &wire.TxSelect{})
		p.recv()
		for range 3 {
			p.publish("", "q", "m")
		}
		p.expectPrefix("1 channel.close Code:406")
	})
}
