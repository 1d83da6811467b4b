package core_test

import (
	"fmt"
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestNotesOfARoomSurviveARestart(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Note(w.turn, "amqp", "x", []byte("1"))
		a.Note(w.turn, "amqp", "gone", []byte("2"))
		a.Note(w.turn, "amqp2", "x", []byte("3"))
		seq, pending := a.Note(w.turn, "amqp", "gone", nil)
		expect(t, "pending", pending, true)
		w.end()
		expect(t, "safe", a.Safe() >= seq && !a.Failed(seq), true)
		a.Detach(w.turn, core.Normal)
		w.restart(core.Options{})
		all := ""
		for n, err := range w.router.Notes("amqp") {
			all += fmt.Sprintf("%s %s=%s %v;", n.Namespace, n.Key, n.Value, err)
		}
		expect(t, "notes", all, "default x=1 <nil>;")
	})
}
