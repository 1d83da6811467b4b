package amqp091_test

import (
	"sync/atomic"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
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

// syncs is a store that counts the writes that somebody waits for.
type syncs struct {
	core.Store
	n atomic.Int64
}

func (s *syncs) Write(b []*core.Batch, sync bool) error {
	if sync {
		s.n.Add(1)
	}
	return s.Store.Write(b, sync)
}

func TestAMQP_AQ43_ACommitThatOnlyAcknowledgesIsStored(t *testing.T) {
	s := &syncs{Store: adaptertest.NewStore()}
	simulateWith(t, amqp091.Config{}, adaptertest.Options{Store: s}, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "in", Durable: true})
		p.publishWith(to("", "in"), persistent, "1")
		p.send(1, &wire.TxSelect{}, &wire.BasicGet{Queue: "in"})
		p.recv()
		p.send(1, &wire.BasicAck{DeliveryTag: 1})
		before := s.n.Load()
		p.call("1 tx.commit-ok", &wire.TxCommit{})
		if s.n.Load() == before {
			t.Error("answered without a sync")
		}
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

func TestAMQP_AQ43_WhatATransactionSettlesIsSettledOnce(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "1", "2")
		get := &wire.BasicGet{Queue: "q"}
		p.send(1, &wire.TxSelect{}, get, get)
		p.recv()
		p.call("1 basic.recover-ok", &wire.BasicAck{DeliveryTag: 1}, &wire.BasicRecover{Requeue: true})
		p.counts("q", 1, 0) // the other one
		p.call("1 tx.rollback-ok\n1 basic.recover-ok", &wire.TxRollback{}, &wire.BasicRecover{Requeue: true})
		p.counts("q", 2, 0)
		p.send(1, get, &wire.BasicAck{DeliveryTag: 3}, &wire.TxCommit{})
		p.recv()
		p.counts("q", 1, 0)
		w.refused("1 channel.close Code:406", &wire.TxSelect{}, get, &wire.BasicAck{DeliveryTag: 1}, &wire.BasicAck{DeliveryTag: 1})
	})
}
