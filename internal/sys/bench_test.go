package sys

import (
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
)

// BenchmarkTick is one tick of a gateway without sessions.
func BenchmarkTick(b *testing.B) {
	r, err := core.New(core.Options{Store: memory.New()})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	p := New(Options{Router: r, Metrics: adapters.NewMetrics(), Protocols: protocols, Version: "1"})
	p.turn = r.NewTurn(nil)
	b.ReportAllocs()
	for b.Loop() {
		p.tick()
	}
}
