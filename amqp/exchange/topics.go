package exchange

import (
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// topics: '*' is one word, '#' any number (specification 3.1.3.3; AQ28). It
// has a filter index of its own, in which '$' has no meaning (AM12).
type topics struct{ index *topic.Index[string] }

func newTopics() topics {
	return topics{index: topic.NewIndex[string](topic.IndexOptions{Dollar: true})}
}

// FilterOf is the filter that a binding key means. The empty key's filter is
// empty: it matches the empty key alone, which has no topic.
func FilterOf(c topic.Codec, key string) (string, core.Reason) {
	if key == "" {
		return "", core.OK
	}
	f, err := c.DecodeFilter(key)
	if err != nil {
		return "", core.BadFilter
	}
	return f, core.OK
}

func (x topics) bind(b Binding) core.Reason {
	f, r := FilterOf(topic.Dotted, b.Key)
	if r == core.OK {
		x.index.Add(f, b.Queue)
	}
	return r
}

func (x topics) unbind(b Binding) {
	f, _ := FilterOf(topic.Dotted, b.Key)
	x.index.Remove(f, b.Queue)
}

func (x topics) route(dst []string, key string, _ wire.Table) []string {
	name := ""
	if key != "" {
		var err error
		if name, err = topic.Dotted.DecodeName(key); err != nil {
			return dst
		}
	}
	found, _ := x.index.Match(nil, name)
	for _, q := range found {
		dst = appendOnce(dst, q)
	}
	return dst
}
