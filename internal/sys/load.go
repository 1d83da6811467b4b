package sys

import (
	"fmt"
	"math"
	"time"
)

// windows of the averages, as mosquitto names them.
var windows = [...]struct {
	name string
	d    time.Duration
}{{"1min", time.Minute}, {"5min", 5 * time.Minute}, {"15min", 15 * time.Minute}}

// load is what happens in a minute, exponentially damped over each window.
type load struct {
	measure
	begun   bool
	last    uint64
	average [len(windows)]float64
}

// move takes in what has happened since the last tick.
func (l *load) move(now *snapshot, elapsed time.Duration, publish func(name, value string)) {
	count := l.read(now)
	if l.begun && elapsed > 0 {
		rate := float64(count-l.last) / elapsed.Minutes()
		for i, w := range windows {
			l.average[i] = rate + math.Exp(-elapsed.Seconds()/w.d.Seconds())*(l.average[i]-rate)
		}
	}
	l.begun, l.last = true, count
	for i, w := range windows {
		publish("load/"+l.name+"/"+w.name, fmt.Sprintf("%.2f", l.average[i]))
	}
}
