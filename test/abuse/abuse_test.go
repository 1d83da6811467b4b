package abuse

import (
	"testing"

	"github.com/entrepot/entrepot/test/rig"
)

// TestAbuse is one gateway through everything. It measures the process, so nothing runs beside it.
func TestAbuse(t *testing.T) {
	g := start(t)
	p := g.pulse()
	defer p.close()
	if err := p.admits(); err != nil {
		t.Fatal(err)
	}
	before := rig.Measure()
	t.Run("rows", func(t *testing.T) { g.rows(t, p) })
	t.Run("truncated", func(t *testing.T) { g.truncations(t, p, streamed) })
	t.Run("mutated", func(t *testing.T) { g.mutations(t, p, streamed) })
	if err := p.admits(); err != nil {
		t.Fatal(err)
	}
	g.Flat(before, 5<<20)
	g.open(t)
	t.Run("datagrams", func(t *testing.T) {
		t.Run("rows", func(t *testing.T) { g.datagrams(t, p) })
		t.Run("truncated", func(t *testing.T) { g.truncations(t, p, thrown) })
		t.Run("mutated", func(t *testing.T) { g.mutations(t, p, thrown) })
	})
	if err := p.admits(); err != nil {
		t.Fatal(err)
	}
	g.shut()
	g.Flat(before, 64<<20) // an address may keep observations, and what waits for them
	g.Quit()
	for _, words := range []string{"preauth.closed", "client.disconnected", "udp.dropped protocol=coap", "udp.dropped protocol=mqttsn", "protocol.error protocol=amqp"} {
		if !g.Log.Has(words) {
			t.Errorf("the log says nothing of %s", words)
		}
	}
}
