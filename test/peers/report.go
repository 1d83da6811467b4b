package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// columns are the peers of the report, in order.
func (b *bench) columns() []string {
	all := []string{entrepot, mosquitto, mochi, relayed, bareStore, rabbit}
	if b.before != "" {
		all = slices.Insert(all, 1, earlier)
	}
	return all
}

// report is docs/performance.md.
func (b *bench) report() string {
	var t strings.Builder
	t.WriteString("# Performance\n\nWritten by `make bench` (test/peers) and by nothing else. What holds on any machine are the ratios of one run: broker CPU for a delivered message, " +
		"and memory for a connection or a subscription. Rates drift with the machine and with what else runs on it.\n\n")
	b.header(&t)
	b.table(&t)
	b.comparison(&t)
	b.accounts(&t)
	b.generator(&t)
	b.remarks(&t)
	if len(b.failed) > 0 {
		t.WriteString("\n## What is missing\n\n")
		for _, f := range b.failed {
			fmt.Fprintf(&t, "- %s\n", f)
		}
	}
	return t.String()
}

func (b *bench) header(t *strings.Builder) {
	placed := "the broker on one core, the load generator on another"
	if b.loadCore < 0 {
		placed = "broker and load generator on the one core that there is"
	}
	fmt.Fprintf(t, "| | |\n|---|---|\n| Date | %s, %s |\n", b.began.UTC().Format("2006-01-02 15:04 MST"), time.Since(b.began).Round(time.Second))
	fmt.Fprintf(t, "| Command | `go run . %s` in test/peers |\n", strings.Join(os.Args[1:], " "))
	fmt.Fprintf(t, "| Machine | %s, %d cores, %s, Linux %s, %s |\n", field("/proc/cpuinfo", "model name"), runtime.NumCPU()+len(b.brokerCores)-1, field("/proc/meminfo", "MemTotal"), kernel(), placed)
	fmt.Fprintf(t, "| Load of the machine | %s at the end: above 2 others ran beside, and rates are low |\n", average())
	fmt.Fprintf(t, "| Method | medians of %d rounds; the ratio of each round, then its median; %s of warm-up, %s measured; payload 64 bytes unless said, 64 messages in flight for each publisher, MQTT 3.1.1, loopback |\n", b.rounds, b.warmup, b.time)
	for _, p := range peers() {
		if b.used(p.name) {
			fmt.Fprintf(t, "| %s | %s |\n", p.name, p.version(b))
		}
	}
	t.WriteString("\n`µs` is CPU of the broker for each delivered (or acknowledged) message, from its process clock. Mosquitto runs without queue limits and log, mochi with its limits at their highest.\n\n")
}

func (b *bench) used(name string) bool {
	return slices.ContainsFunc(b.done, func(m *measured) bool { return slices.Contains(m.peers, name) })
}

func (b *bench) table(t *strings.Builder) {
	columns := b.columns()
	t.WriteString("## Results\n\n| Workload | unit |")
	for _, c := range columns {
		fmt.Fprintf(t, " %s |", c)
	}
	t.WriteString(" to mosquitto | goal | |\n|---|---|" + strings.Repeat("---|", len(columns)+3) + "\n")
	for _, m := range b.done {
		for _, r := range m.rows {
			r.values = map[string][]float64{}
			for p, list := range m.results {
				for _, one := range list {
					v, ok := one.values[r.key]
					if !ok {
						v = math.NaN()
					}
					r.values[p] = append(r.values[p], v)
				}
			}
			fmt.Fprintf(t, "| %s | %s |", r.title, r.unit)
			for _, c := range columns {
				fmt.Fprintf(t, " %s |", figure(median(r.values[c])))
			}
			fmt.Fprintf(t, " %s |%s\n", figure(ratio(r.values[entrepot], r.values[mosquitto])), r.verdicts())
		}
	}
	t.WriteString("\n")
}

// comparison is what became of each figure since the earlier binary.
func (b *bench) comparison(t *strings.Builder) {
	if b.before == "" {
		return
	}
	t.WriteString("## Beside the binary before\n\n| Workload | ratio |\n|---|---|\n")
	for _, m := range b.done {
		for _, r := range m.rows {
			fmt.Fprintf(t, "| %s | %s |\n", r.title, spread(ratios(r.values[entrepot], r.values[earlier])))
		}
	}
	t.WriteString("\n")
}

// verdicts are the goals of a row and whether they were met, with the values of the rounds from least to most.
func (r *row) verdicts() string {
	var goals, words []string
	for _, g := range r.goals {
		sign, name := map[bool]string{false: "≤", true: "≥"}[g.least], ""
		list := r.values[entrepot]
		if g.to != "" {
			list, name = ratios(list, r.values[g.to]), " × "+g.to
		}
		goals = append(goals, fmt.Sprintf("%s %s%s", sign, figure(g.limit), name))
		v := median(list)
		switch {
		case math.IsNaN(v):
			words = append(words, "not measured")
		case g.met(v):
			words = append(words, "met: "+spread(list))
		default:
			words = append(words, "**missed**: "+spread(list))
		}
	}
	return fmt.Sprintf(" %s | %s |", strings.Join(goals, "; "), strings.Join(words, "; "))
}

// spread is the median, and the range if there are several.
func spread(list []float64) string {
	list = slices.DeleteFunc(slices.Sorted(slices.Values(list)), math.IsNaN)
	if len(list) < 2 {
		return figure(median(list))
	}
	return fmt.Sprintf("%s (%s to %s)", figure(median(list)), figure(list[0]), figure(list[len(list)-1]))
}

func (g goal) met(v float64) bool {
	if g.least {
		return v >= g.limit
	}
	return v <= g.limit
}

func (b *bench) accounts(t *strings.Builder) {
	t.WriteString("## Lost, doubled, out of order\n\nBy sequence number, of all that was sent, in all rounds. The goal for entrepot is 0 everywhere.\n\n| Workload | peer | sent | lost | doubled | out of order | |\n|---|---|---|---|---|---|---|\n")
	clean := true
	for _, m := range b.done {
		for _, p := range m.peers {
			var sum = struct{ sent, lost, doubled, late uint64 }{}
			for _, r := range m.results[p] {
				sum.sent += r.account.Expected
				sum.lost += r.account.Lost
				sum.doubled += r.account.Doubled
				sum.late += r.account.Late
			}
			if sum.sent == 0 || sum.lost+sum.doubled+sum.late == 0 && p != entrepot {
				continue
			}
			word := ""
			if p == entrepot {
				word = "met"
				if sum.lost+sum.doubled+sum.late > 0 {
					word, clean = "**missed**", false
				}
			}
			fmt.Fprintf(t, "| %s | %s | %d | %d | %d | %d | %s |\n", m.name, p, sum.sent, sum.lost, sum.doubled, sum.late, word)
		}
	}
	t.WriteString("\nPeers that lost, doubled and reordered nothing are left out.")
	if clean {
		t.WriteString(" entrepot delivered every message once and in order.")
	}
	t.WriteString("\n\n")
}

// generator tells what the load cost, and where it was the bottleneck.
func (b *bench) generator(t *strings.Builder) {
	columns := b.columns()
	t.WriteString("## The load generator\n\nIts own CPU for a message, µs. With * it was the bottleneck: its core was busy and the broker's was not, so the broker had smaller batches than it could have had.\n\n| Workload |")
	for _, c := range columns {
		fmt.Fprintf(t, " %s |", c)
	}
	t.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, m := range b.done {
		line, any := "", false
		for _, c := range columns {
			var own []float64
			star := ""
			for _, r := range m.results[c] {
				if r.own > 0 {
					own = append(own, r.own)
				}
				if r.bound {
					star = "*"
				}
			}
			any = any || len(own) > 0
			line += " " + figure(median(own)) + star + " |"
		}
		if any {
			fmt.Fprintf(t, "| %s |%s\n", m.name, line)
		}
	}
	t.WriteString("\n")
}

func (b *bench) remarks(t *strings.Builder) {
	t.WriteString("## The workloads\n\n")
	for _, m := range b.done {
		var notes []string
		for _, p := range m.peers {
			for _, r := range m.results[p] {
				for _, n := range r.notes {
					if !slices.Contains(notes, n) {
						notes = append(notes, n)
					}
				}
			}
		}
		fmt.Fprintf(t, "- `%s`: %s.", m.name, m.about)
		if m.once {
			t.WriteString(" Measured in one round.")
		}
		if len(notes) > 0 {
			fmt.Fprintf(t, " Here: %s.", strings.Join(notes, "; "))
		}
		t.WriteString("\n")
	}
}

// median of a list without what is not a number; NaN of nothing.
func median(list []float64) float64 {
	list = slices.DeleteFunc(slices.Clone(list), math.IsNaN)
	if len(list) == 0 {
		return math.NaN()
	}
	slices.Sort(list)
	if n := len(list); n%2 == 0 {
		return (list[n/2-1] + list[n/2]) / 2
	}
	return list[len(list)/2]
}

// ratio is the median of the ratios of the rounds.
func ratio(a, b []float64) float64 { return median(ratios(a, b)) }

func ratios(a, b []float64) (all []float64) {
	for i := range min(len(a), len(b)) {
		all = append(all, a[i]/b[i])
	}
	return all
}

// figure writes a number with three digits that count.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

func average() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
