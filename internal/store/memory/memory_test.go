package memory

import (
	"testing"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(testing.TB) core.Store { return New() })
}

func BenchmarkWrite(b *testing.B) { storetest.Benchmark(b, New()) }
