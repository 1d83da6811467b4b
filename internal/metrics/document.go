package metrics

import (
	"fmt"
	"strings"
)

// Document writes docs/metrics.md.
func Document() string {
	var b strings.Builder
	b.WriteString(`# Metrics

Generated from internal/metrics by ` + "`make generate`" + `. Served at /metrics of every http:// listener, in OpenMetrics or Prometheus' text format.
Label values come from bounded sets: never a client, a user or a topic.

| Metric | Labels | Kind | Meaning |
|---|---|---|---|
`)
	for _, d := range Definitions {
		kind := "counter"
		if d.Kind == Gauge {
			kind = "gauge"
		} else if d.Kind == Histogram {
			kind = "histogram"
		}
		labels := "–"
		if len(d.Labels) > 0 {
			labels = "`" + strings.Join(d.Labels, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, labels, kind, d.Help)
	}
	b.WriteString("\nBesides these, `go_*` and `process_*` describe the process itself.\n")
	return b.String()
}
