package gateway

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// refusalsEvery is how often the log sums up what was refused.
const refusalsEvery = 10 * time.Second

// refusalEvents are the counters that the log sums up: the event of each, its level, and the names of its labels.
var refusalEvents = map[string]struct {
	event  string
	level  slog.Level
	labels []string
}{
	"protocol_errors_total":  {"protocol.error", slog.LevelWarn, []string{"protocol", "reason"}},
	"udp_dropped_total":      {"udp.dropped", slog.LevelWarn, []string{"protocol", "reason"}},
	"messages_dropped_total": {"message.dropped", slog.LevelWarn, []string{"protocol", "reason"}},
	"mapping_dropped_total":  {"mapping.dropped", slog.LevelInfo, []string{"from", "to", "field"}},
}

// noLoss are reasons of messages_dropped_total by which nobody lost what was meant for it.
var noLoss = []string{core.DropNoReceiver.String(), core.DropCoalesced.String()}

// refusals writes one line for each kind of what was refused or dropped, however much of it there was. [SECURITY L31]
type refusals struct {
	metrics *adapters.Metrics
	router  *core.Router // nil: nobody's limits
	log     *slog.Logger
	told    map[refusal]uint64
}

type refusal struct {
	name   string
	labels [3]string
}

// run reports until the context ends, and then once more.
func (r *refusals) run(ctx context.Context) {
	tick := time.NewTicker(refusalsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.report()
		case <-ctx.Done():
			r.report()
			return
		}
	}
}

func (r *refusals) report() {
	r.metrics.Counters(r.sum)
	if r.router == nil {
		return
	}
	for cause := core.DropQueueFull; cause <= core.DropShed; cause++ {
		r.sum("messages_dropped_total", [3]string{"core", cause.String()}, r.router.Dropped(cause))
	}
	r.router.Refused(func(ns string, l core.Limit, n uint64) {
		if k := (refusal{"limit.refused", [3]string{ns, l.String()}}); n != r.told[k] {
			r.log.Warn("limit.refused", "limit", l.String(), "ns", ns, "count", n-r.told[k])
			r.told[k] = n
		}
	})
}

// sum writes what a counter has grown by since it was last looked at.
func (r *refusals) sum(name string, labels [3]string, v uint64) {
	e, ok := refusalEvents[name]
	k := refusal{name, labels}
	if !ok || v == r.told[k] || name == "messages_dropped_total" && slices.Contains(noLoss, labels[1]) {
		return
	}
	var attrs []any
	for i, label := range e.labels {
		attrs = append(attrs, label, labels[i])
	}
	r.log.Log(context.Background(), e.level, e.event, append(attrs, "count", v-r.told[k])...)
	r.told[k] = v
}
