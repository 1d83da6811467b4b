package stomp

import (
	"fmt"
	"strings"
	"testing"
)

func TestSTOMP_ST55_TransactionsOpenOnceAndMustBeKnown(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("BEGIN", "transaction:t")
		p.say("BEGIN", "transaction:t", "receipt:r")
		if f := p.errorFrame("Transaction already open"); f.header["receipt-id"] != "r" { // ST66
			t.Errorf("%v", f)
		}
		for _, cmd := range []string{"COMMIT", "ABORT", "SEND"} {
			p := w.connect("1.2")
			p.say(cmd, "transaction:t", "destination:/topic/a")
			p.errorFrame("Bad transaction")
		}
		for _, cmd := range []string{"ACK", "NACK"} {
			p := w.connect("1.2")
			p.say("SUBSCRIBE", "id:1", "destination:/topic/a", "ack:client")
			p.say("SEND", "destination:/topic/a", "", "x")
			p.say(cmd, "transaction:t", "id:"+p.bodies("x")[0].header["ack"])
			p.errorFrame("Bad transaction")
		}
		p = w.connect("1.2")
		p.say("BEGIN")
		p.errorFrame("Missing header")
	})
}

func TestSTOMP_ST56_ST57_ACommitTakesEffectAtOnceAndInOrder(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		sub, p := w.connect("1.2"), w.connect("1.2")
		sub.say("SUBSCRIBE", "id:1", "destination:/topic/#")
		fill(w, "q", 3)
		p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client")
		m := p.bodies("1", "2", "3")
		p.say("BEGIN", "transaction:t")
		p.say("SEND", "destination:/topic/a", "transaction:t", "receipt:1", "", "a")
		p.say("ACK", "id:"+m[0].header["ack"], "transaction:t", "receipt:2")
		p.say("SEND", "destination:/topic/b", "transaction:t", "", "b")
		p.say("NACK", "id:"+m[1].header["ack"], "transaction:t", "requeue:false", "receipt:3")
		sub.none()
		p.none() // the receipts wait for COMMIT
		p.say("COMMIT", "transaction:t", "receipt:4")
		sub.bodies("a", "b")
		p.receipts("1", "2", "3", "4")
		p.gone()
		left(w, "q", "3")
	})
}

func TestSTOMP_ST56_ST57_AnAbortDropsEverything(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		sub, p := w.connect("1.2"), w.connect("1.2")
		sub.say("SUBSCRIBE", "id:1", "destination:/topic/#")
		fill(w, "q", 2)
		p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client-individual")
		m := p.bodies("1", "2")
		p.say("BEGIN", "transaction:t")
		p.say("SEND", "destination:/topic/a", "transaction:t", "receipt:1", "", "a")
		p.say("ACK", "id:"+m[0].header["ack"], "transaction:t", "receipt:2")
		p.say("ABORT", "transaction:t", "receipt:3")
		p.receipts("3")
		sub.none()
		p.say("ACK", "id:"+m[0].header["ack"], "receipt:4") // it is still unsettled
		p.receipts("4")
		p.gone()
		left(w, "q", "2")
	})
}

func TestSTOMP_ST56_ALostConnectionAborts(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		fill(w, "q", 1)
		p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client")
		m := p.bodies("1")[0]
		p.say("BEGIN", "transaction:t")
		p.say("SEND", "destination:/queue/q", "transaction:t", "", "never")
		p.say("ACK", "id:"+m.header["ack"], "transaction:t")
		p.none()
		p.gone()
		left(w, "q", "1")
	})
}

func TestSTOMP_ST56_WhatWasCommittedIsStoredWhetherItsFramesAskForReceiptsOrNot(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		login := []string{"login:user", "passcode:secret"}
		sub := []string{"id:1", "destination:/topic/a", "durable:true", "ack:client", "receipt:s"}
		p := w.connect("1.2", login...)
		p.say("SUBSCRIBE", sub...)
		p.receipts("s")
		p.gone()
		p = w.connect("1.2")
		p.say("BEGIN", "transaction:t")
		p.say("SEND", "destination:/topic/a", "transaction:t", "", "1")
		p.say("SEND", "destination:/topic/a", "transaction:t", "", "2")
		p.say("COMMIT", "transaction:t", "receipt:r")
		p.receipts("r")
		w.restart()
		p = w.connect("1.2", login...)
		p.say("SUBSCRIBE", sub[:4]...)
		p.bodies("1", "2")
	})
}

func TestSTOMP_ST56_ACommitThatOnlyAcknowledgesIsAnsweredWhenThatIsStored(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		fill(w, "q", 1)
		p.say("SUBSCRIBE", "id:1", "destination:/queue/q", "ack:client")
		m := p.bodies("1")
		p.say("BEGIN", "transaction:t")
		p.say("ACK", "id:"+m[0].header["ack"], "transaction:t")
		w.store.mu.Lock() // the store is slow
		p.say("COMMIT", "transaction:t", "receipt:r")
		p.call(func() { p.conn.Wake(p.turn, &p.out) })
		if len(p.got) != 0 {
			t.Fatalf("answered before the store did: %v", p.got)
		}
		w.store.mu.Unlock()
		p.receipts("r")
	})
}

func TestSTOMP_ST56_TheRightsAreCheckedWhenTheFrameArrives(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("BEGIN", "transaction:t")
		p.say("SEND", "destination:/topic/secret", "transaction:t", "receipt:1", "", "x")
		p.errorFrame("access_refused")
		p = w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a", "ack:client")
		p.say("SEND", "destination:/topic/a", "", "x")
		id := p.bodies("x")[0].header["ack"]
		p.say("BEGIN", "transaction:t")
		p.say("ACK", "id:"+id, "transaction:t")
		p.say("ACK", "id:"+id, "transaction:t") // acked in the transaction already
		p.errorFrame("Message not found")
	})
}

func TestSTOMP_ST56_ATransactionWhoseQueueIsFullHasNoEffect(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p, sub := w.connect("1.2"), w.connect("1.2")
		sub.say("SUBSCRIBE", "id:1", "destination:/topic/#")
		p.say("SUBSCRIBE", "id:1", "destination:/queue/small", "x-max-length:2", "x-overflow:reject-publish", "ack:client", "prefetch-count:1")
		p.say("SEND", "destination:/queue/small", "", "1")
		p.say("SEND", "destination:/queue/small", "", "2")
		p.bodies("1")
		p.say("BEGIN", "transaction:t")
		p.say("SEND", "destination:/topic/a", "transaction:t", "", "x")
		p.say("SEND", "destination:/queue/small", "transaction:t", "", "3")
		p.say("COMMIT", "transaction:t", "receipt:r")
		p.errorFrame("resource_error")
		sub.none()
	})
}

func TestSTOMP_TransactionsAreLimited(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxTransactions, cfg.MaxTransactionFrames, cfg.MaxBody = 2, 3, 1000
	in(t, cfg, func(w *world) {
		p := w.connect("1.2")
		for i := range 3 {
			p.say("BEGIN", fmt.Sprint("transaction:", i))
		}
		p.errorFrame("resource_error")
		p = w.connect("1.2")
		p.say("BEGIN", "transaction:t")
		for range 4 {
			p.say("SEND", "destination:/topic/a", "transaction:t", "", "x")
		}
		p.errorFrame("resource_error")
		p = w.connect("1.2")
		p.say("BEGIN", "transaction:t")
		for range 2 {
			p.say("SEND", "destination:/topic/a", "transaction:t", "", strings.Repeat("x", 600))
		}
		p.errorFrame("resource_error")
	})
}
