package amqp091

import (
	"iter"

	"github.com/entrepot/entrepot/core"
)

// nothing is a store that is never asked for anything.
type nothing struct{}

func (nothing) Write([]*core.Batch, bool) error { return nil }
func (nothing) Get([]byte) ([]byte, error)      { return nil, nil }
func (nothing) Scan(_, _ []byte) iter.Seq2[core.Record, error] {
	return func(func(core.Record, error) bool) {}
}
func (nothing) Close() error { return nil }

// deaf is a sink that nothing has to reach.
type deaf struct{}

func (deaf) Ready(*core.Turn)  {}
func (deaf) Evict(core.Reason) {}
