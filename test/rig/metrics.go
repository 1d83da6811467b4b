package rig

import (
	"net/http"
	"strconv"
	"strings"
)

// Series are the metrics by name and labels, as /metrics writes them.
type Series map[string]float64

// Metrics asks the listener http:// for them.
func (g *Gateway) Metrics() Series {
	g.Helper()
	status, body := g.Ask("/metrics", g.options.User, g.options.Pass)
	if status != http.StatusOK {
		g.Fatalf("/metrics: %d %s", status, body)
	}
	all := Series{}
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if ok {
			name += "}"
		} else {
			name, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = n
		}
	}
	g.Seen = all
	return all
}

// Sum adds the counters of one name that have all label values: "protocol_errors mqtt malformed".
func (s Series) Sum(what string) (total float64) {
	words := strings.Fields(what)
	for name, n := range s {
		if !strings.HasPrefix(name, "entrepot_"+words[0]+"_total{") && name != "entrepot_"+words[0]+"_total" {
			continue
		}
		labels := strings.ToLower(strings.ReplaceAll(name, " ", "_"))
		all := true
		for _, label := range words[1:] {
			all = all && strings.Contains(labels, strings.ToLower(strconv.Quote(label)))
		}
		if all {
			total += n
		}
	}
	return total
}

// Moves waits until a counter is above what it was.
func (g *Gateway) Moves(what string, before Series) error {
	return Until(what, func() bool { return g.Metrics().Sum(what) > before.Sum(what) })
}
