package gateway

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/admin"
	"github.com/entrepot/entrepot/internal/metrics"
)

var _ admin.State = (*Gateway)(nil)

// Alive implements admin.State: core answers, whose locks every loop needs,
// and so does every loop.
func (g *Gateway) Alive(ctx context.Context) error {
	answered := make(chan struct{})
	go func() {
		g.router.Sessions()
		close(answered)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
		return errors.New("core does not answer")
	}
	if g.server != nil && !g.server.Responsive(ctx) {
		return errors.New("an event loop does not answer")
	}
	return nil
}

// Started implements admin.State.
func (g *Gateway) Started() bool { return g.started.Load() }

// Problems implements admin.State.
func (g *Gateway) Problems() (list []string) {
	if g.stopping.Load() {
		list = append(list, "stopping")
	} else if !g.started.Load() {
		return []string{"starting"}
	}
	if g.draining.Load() {
		list = append(list, "draining")
	}
	if g.router.StoreFailed() {
		list = append(list, "store")
	}
	return list
}

// Details implements admin.State.
func (g *Gateway) Details() (list []string) {
	if !g.started.Load() {
		return nil
	}
	for _, l := range g.Listening() {
		line := "listener " + l.URL
		if l.Insecure {
			line += " insecure: anybody who reaches it may use it" // SECURITY S14
		}
		list = append(list, line)
	}
	return list
}

// build is the metrics source of what runs.
func (g *Gateway) build(emit metrics.Emit) {
	emit("entrepot_build_info", 1, g.options.Version, g.options.Commit, runtime.Version())
	emit("entrepot_config_info", 1, g.now().config.Sum)
}

// mqttOrigin is the origin of the messages, and wills, that came by MQTT.
const mqttOrigin = "mqtt"

// mostNamespaces is how many have values of their own in the metrics; those beyond are one, otherNamespaces.
const (
	mostNamespaces  = 100
	otherNamespaces = "other"
)

// namespaces emits the gauges of each namespace. The first in the order of their names have their own.
func (g *Gateway) namespaces(emit metrics.Emit, all []core.NamespaceStats) {
	slices.SortFunc(all, func(a, b core.NamespaceStats) int {
		if home := func(s *core.NamespaceStats) bool { return s.Name == core.DefaultNamespace }; home(&a) != home(&b) {
			if home(&a) {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	if len(all) > mostNamespaces {
		rest := core.NamespaceStats{Name: otherNamespaces}
		for i := mostNamespaces; i < len(all); i++ {
			rest.Add(&all[i])
		}
		all = append(all[:mostNamespaces:mostNamespaces], rest)
	}
	for i := range all {
		n := &all[i]
		emit("entrepot_sessions", float64(n.Connected), n.Name, "connected")
		emit("entrepot_sessions", float64(n.Offline), n.Name, "offline")
		emit("entrepot_subscriptions", float64(n.Subscriptions), n.Name)
		emit("entrepot_retained_messages", float64(n.Retained), n.Name)
		emit("entrepot_retained_bytes", float64(n.RetainedBytes), n.Name)
		emit("entrepot_queues", float64(n.Queues), n.Name)
		emit("entrepot_delayed_messages", float64(n.Delayed), n.Name)
		emit("entrepot_delayed_bytes", float64(n.DelayedBytes), n.Name)
		emit("entrepot_queue_messages", float64(n.QueueMessages), n.Name)
		emit("entrepot_queue_bytes", float64(n.QueueBytes), n.Name)
		emit("entrepot_inflight", float64(n.InFlight), n.Name)
	}
}

// state is the metrics source of core.
func (g *Gateway) state(emit metrics.Emit) {
	s := g.router.Stats()
	g.namespaces(emit, s.Namespaces)
	for cause, n := range s.Dropped {
		emit("entrepot_messages_dropped_total", float64(n), "core", cause.String())
	}
	emit("entrepot_session_takeovers_total", float64(s.Takeovers), "core")
	wills := g.router.Wills(mqttOrigin)
	emit("entrepot_mqtt_wills_pending", float64(wills.Pending.Load()))
	for result, n := range map[string]uint64{
		"published": wills.Published.Load(), "cancelled": wills.Cancelled.Load(), "denied": wills.Denied.Load(), "expired": wills.Expired.Load(),
	} {
		emit("entrepot_mqtt_wills_total", float64(n), result)
	}
	refused := map[core.Limit]uint64{}
	g.router.Refused(func(ns string, l core.Limit, n uint64) {
		refused[l] += n
		emit("entrepot_namespace_limit_refused_total", float64(n), ns, l.String())
	})
	for l, n := range refused {
		emit("entrepot_limit_refused_total", float64(n), "core", l.String())
	}
	g.router.Imported(func(from, to string, n uint64) { emit("entrepot_namespace_imported_total", float64(n), from, to) })
	state := 0.0
	switch {
	case s.StoreFailed:
		state = 2
	case g.router.Pressure().DiskFull:
		state = 1
	}
	emit("entrepot_store_state", state)
	emit("entrepot_store_orphans", float64(s.Orphans))
}
