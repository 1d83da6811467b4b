package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The names of the timings.
const (
	AuthSeconds     = "entrepot_auth_seconds"     // of logins
	FsyncSeconds    = "entrepot_fsync_seconds"    // of the store's log
	DeliverySeconds = "entrepot_delivery_seconds" // of messages that are timed
)

// Timing is a histogram of durations, in fixed buckets and, for who asks by protocol buffers, as a native histogram. It is
// for what happens at most some thousand times a second: logins, syncs, a sample of the deliveries.
type Timing struct{ vec *prometheus.HistogramVec }

// buckets reach from a delivery within a pass of a loop, over an answer out of a cache or a sync of a fast disk, to the longest
// time-out of a backend, in seconds.
var buckets = []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewTiming makes the histogram of a definition.
func NewTiming(name string) *Timing {
	for _, d := range Definitions {
		if d.Name == name && d.Kind == Histogram {
			return &Timing{prometheus.NewHistogramVec(prometheus.HistogramOpts{
				Name: d.Name, Help: d.Help, Buckets: buckets,
				NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
			}, d.Labels)}
		}
	}
	panic("metrics: " + name + " is no histogram")
}

// Observe adds one duration.
func (t *Timing) Observe(took time.Duration, labels ...string) {
	if o, err := t.vec.GetMetricWithLabelValues(labels...); err == nil {
		o.Observe(took.Seconds())
	}
}
