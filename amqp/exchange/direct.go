package exchange

import (
	"slices"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// direct: the key is equal (specification 3.1.3.1). A queue stands in the
// list as often as bindings with different arguments put it there.
type direct map[string][]string

func (d direct) bind(b Binding) core.Reason {
	d[b.Key] = append(d[b.Key], b.Queue)
	return core.OK
}

func (d direct) unbind(b Binding) {
	if i := slices.Index(d[b.Key], b.Queue); i >= 0 {
		d[b.Key] = slices.Delete(d[b.Key], i, i+1)
	}
	if len(d[b.Key]) == 0 {
		delete(d, b.Key)
	}
}

func (d direct) route(dst []string, key string, _ wire.Table) []string {
	for _, q := range d[key] {
		dst = appendOnce(dst, q)
	}
	return dst
}

// fanout: every bound queue, how many bindings it has (specification 3.1.3.2).
type fanout map[string]int

func (f fanout) bind(b Binding) core.Reason { f[b.Queue]++; return core.OK }

func (f fanout) unbind(b Binding) {
	if f[b.Queue]--; f[b.Queue] <= 0 {
		delete(f, b.Queue)
	}
}

func (f fanout) route(dst []string, _ string, _ wire.Table) []string {
	for q := range f {
		dst = appendOnce(dst, q)
	}
	return dst
}
