// Package metrics makes the counters of the house readable for Prometheus.
//
// It is defined by docs/metrics.md. Nothing is counted here: rooms and loops count in plain atomics (adapters.Metrics),
// and one collector reads them when it is asked.
package metrics

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/entrepot/entrepot/adapters"
)

const prefix = "entrepot_"

// Emit takes one value of a metric; labels are in the order of its definition.
type Emit func(name string, value float64, labels ...string)

// A Source is something besides the rooms' counters that has values: core, the loops, the build.
type Source func(Emit)

// Collector reads counters and sources. Make one with [New].
type Collector struct {
	counters *adapters.Metrics
	sources  []Source
	known    map[string]described
}

type described struct {
	Definition
	desc *prometheus.Desc
}

// New makes a collector.
func New(counters *adapters.Metrics, sources ...Source) *Collector {
	c := &Collector{counters: counters, sources: sources, known: map[string]described{}}
	for _, d := range Definitions {
		if d.Kind == Histogram {
			continue // a Timing's
		}
		c.known[d.Name] = described{d, prometheus.NewDesc(d.Name, d.Help, d.Labels, nil)}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.known {
		ch <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	emit := func(name string, value float64, labels ...string) {
		d, ok := c.known[name]
		if !ok {
			return // TestEveryCounterIsDefined keeps this from happening
		}
		kind := prometheus.CounterValue
		if d.Kind == Gauge {
			kind = prometheus.GaugeValue
		}
		if m, err := prometheus.NewConstMetric(d.desc, kind, value, fit(labels, len(d.Labels))...); err == nil {
			ch <- m
		}
	}
	c.counters.Counters(func(name string, labels [3]string, v uint64) {
		if c.known[prefix+name].Kind == Gauge {
			emit(prefix+name, float64(int64(v)), labels[:]...) // rooms count down by adding in two's complement
			return
		}
		emit(prefix+name, float64(v), labels[:]...)
	})
	c.counters.Protocols(func(protocol string, t *adapters.Traffic) { traffic(protocol, t, emit) })
	c.counters.Translations(func(from, to string, r adapters.Translation, n uint64) {
		emit("entrepot_translations_total", float64(n), from, to, r.String())
	})
	for _, s := range c.sources {
		s(emit)
	}
}

// traffic emits what one protocol has carried. A direction and QoS without messages has no line.
func traffic(protocol string, t *adapters.Traffic, emit Emit) {
	for dir, name := range []string{adapters.In: "in", adapters.Out: "out"} {
		for qos := range t.Messages[dir] {
			n := t.Messages[dir][qos].Load()
			if n == 0 {
				continue
			}
			emit("entrepot_messages_total", float64(n), protocol, name, strconv.Itoa(qos))
			emit("entrepot_message_bytes_total", float64(t.Bytes[dir][qos].Load()), protocol, name, strconv.Itoa(qos))
		}
	}
}

// fit makes the labels as many as the definition has.
func fit(labels []string, n int) []string {
	labels = slices.Clone(labels)
	for len(labels) < n {
		labels = append(labels, "")
	}
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "?")
	}
	return labels[:n]
}

// Handler answers /metrics in OpenMetrics or in the older text format, as the reader asks.
func Handler(c *Collector, timings ...*Timing) http.Handler {
	r := prometheus.NewRegistry()
	for _, t := range timings {
		r.MustRegister(t.vec)
	}
	r.MustRegister(c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}
