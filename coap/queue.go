package coap

import (
	"strings"

	"github.com/entrepot/entrepot/core"
)

// consume joins the consumers of a named queue (R5q), which is made, bound to
// the filter of its name, when it is absent: as for MQTT's subscribers.
func (h *topics) consume(t *core.Turn, path string, opts core.ConsumeOptions) (*core.Consumer, core.Reason) {
	s := h.who.session
	name := strings.TrimPrefix(path, "$queue/")
	c, reason := s.Consume(t, name, opts)
	if reason != core.NotFound {
		return c, reason
	}
	if _, _, _, _, reason = s.Declare(t, core.QueueSpec{Name: name, Durable: true}); reason != core.OK {
		return nil, reason
	}
	if _, _, reason = s.Bind(t, name, core.Subscription{Filter: name, QoS: 2, RetainHandling: 2}); reason != core.OK {
		return nil, reason
	}
	return s.Consume(t, name, opts)
}
