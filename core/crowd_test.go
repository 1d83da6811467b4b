package core_test

import (
	"fmt"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// However often clients repeat themselves while the store does not write, what waits for it does not grow; and when it writes,
// everything is as if each turn had been written.
func TestSecurity_O7_WhatIsRepeatedWhileTheStoreWaitsIsKeptOnce(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(durable("a")), w.attach(durable("b"))
		a.sub("x", 1)
		for i := range 2000 {
			b.pub("x", fmt.Sprint(i), 1)
		}
		w.end()
		w.store.hold = make(chan struct{})
		settled, notes := 0, 0
		var seqs [2]uint64
		for i := range 5000 {
			for j, c := range []*conn{a, b} {
				seqs[j], _ = c.Note(w.turn, "room", fmt.Sprint("key", j), fmt.Appendf(nil, "%d", i))
				notes++
			}
			if i%5 == 0 {
				for _, d := range a.Inbox().Take(w.turn, make([]core.Delivery, 0, 1), 1) {
					d.Consumer.Settle(w.turn, d.Seq, core.Accepted)
					settled++
				}
			}
			w.turn.End()
			w.turn.Begin()
		}
		turns, marks, changes := w.router.Waiting()
		if turns > 1024 || marks > 2 || changes > 4 {
			t.Errorf("%d turns, %d marks, %d changes", turns, marks, changes)
		}
		expect(t, "acknowledged", a.Safe() < seqs[0] && b.Safe() < seqs[1], true)
		close(w.store.hold)
		w.end()
		expect(t, "acknowledged", a.Safe() == seqs[0] && b.Safe() == seqs[1], true)
		expect(t, "entries", w.store.count('q'), 2000-settled)
		w.restart(core.Options{})
		n := 0
		for note, err := range w.router.Notes("room") {
			if err != nil {
				t.Fatal(err)
			}
			expect(t, note.Key, string(note.Value), "4999")
			n++
		}
		expect(t, "notes", n, 2)
		expect(t, "waiting", w.router.Stats().Namespaces[0].QueueMessages, 2000-settled)
	})
}
