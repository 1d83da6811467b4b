package bench

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Result is what a run measured. Durations are in seconds in its JSON form.
type Result struct {
	From       string    `json:"from"`
	To         string    `json:"to"`
	Publishers int       `json:"publishers"`
	Subs       int       `json:"subscribers"`
	QoS        int       `json:"qos"`
	Size       int       `json:"size"`
	Seconds    float64   `json:"seconds"`
	Sent       uint64    `json:"sent"`     // while measuring
	Received   uint64    `json:"received"` // while measuring
	Rate       float64   `json:"received_per_second"`
	AllSent    uint64    `json:"sent_in_all"`
	Lost       uint64    `json:"lost"` // of all, warm-up included
	Duplicates uint64    `json:"duplicates"`
	OutOfOrder uint64    `json:"out_of_order"`
	Refused    uint64    `json:"refused"`
	Latency    Latency   `json:"latency_seconds"`
	Processes  []Process `json:"processes"`
	Self       Process   `json:"self"`
}

// Latency is from the intended time of sending to the delivery, in seconds.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// Process is what a process used while measuring.
type Process struct {
	PID        int     `json:"pid"`
	Name       string  `json:"name"`
	CPU        float64 `json:"cpu_seconds"`
	PerMessage float64 `json:"cpu_microseconds_per_message"`
	Resident   uint64  `json:"resident_bytes"` // at the end
	Gone       bool    `json:"gone,omitempty"` // it cannot be read
}

func (r *run) result(took time.Duration, received uint64, before, after map[int]sample) *Result {
	out := &Result{From: r.From.Address.String(), To: r.To.Address.String(), Publishers: r.Pubs, Subs: r.Subs, QoS: r.QoS, Size: r.Size,
		Seconds: took.Seconds(), Sent: r.sent.Load(), Received: received, AllSent: r.allSent.Load(), Refused: r.refused.Load()}
	out.Rate = float64(received) / took.Seconds()
	var h Histogram
	for _, s := range r.subs {
		s.mu.Lock()
		h.Merge(&s.latency)
		for _, p := range r.pubs {
			if p.index%r.Topics != s.index%r.Topics {
				continue
			}
			q := s.seen[uint32(p.index)]
			if q == nil {
				q = &sequence{}
			}
			out.Lost += q.lost(p.seq.Load())
			out.Duplicates += q.doubled
			out.OutOfOrder += q.late
		}
		s.mu.Unlock()
	}
	out.Latency = Latency{h.Quantile(.5).Seconds(), h.Quantile(.9).Seconds(), h.Quantile(.99).Seconds(), h.Quantile(.999).Seconds(), h.Max().Seconds()}
	delivered := max(received, 1)
	for _, pid := range r.PIDs {
		out.Processes = append(out.Processes, compare(pid, before, after, delivered))
	}
	out.Self = compare(os.Getpid(), before, after, delivered)
	return out
}

func compare(pid int, before, after map[int]sample, messages uint64) Process {
	a, b := before[pid], after[pid]
	p := Process{PID: pid, Name: b.name, Resident: b.resident, Gone: !a.ok || !b.ok}
	if !p.Gone {
		p.CPU = (b.cpu - a.cpu).Seconds()
		p.PerMessage = p.CPU * 1e6 / float64(messages)
	}
	return p
}

// String is the report for people.
func (r *Result) String() string {
	var b strings.Builder
	way := r.From
	if r.To != r.From {
		way += " to " + r.To
	}
	fmt.Fprintf(&b, "%s: %d publishers, %d subscribers, QoS %d, %d bytes, %.1f s\n", way, r.Publishers, r.Subs, r.QoS, r.Size, r.Seconds)
	fmt.Fprintf(&b, "  received    %d, %.0f a second (sent %d)\n", r.Received, r.Rate, r.Sent)
	l := r.Latency
	fmt.Fprintf(&b, "  latency     p50 %s  p90 %s  p99 %s  p99.9 %s  max %s\n", span(l.P50), span(l.P90), span(l.P99), span(l.P999), span(l.Max))
	fmt.Fprintf(&b, "  integrity   lost %d, duplicates %d, out of order %d, refused %d\n", r.Lost, r.Duplicates, r.OutOfOrder, r.Refused)
	for _, p := range append(r.Processes, r.Self) {
		if p.Gone {
			fmt.Fprintf(&b, "  process     %d cannot be read\n", p.PID)
			continue
		}
		fmt.Fprintf(&b, "  process     %d %s: CPU %.2f s (%.0f %%), %.2f µs a message, %.1f MiB resident\n",
			p.PID, p.Name, p.CPU, 100*p.CPU/r.Seconds, p.PerMessage, float64(p.Resident)/(1<<20))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
