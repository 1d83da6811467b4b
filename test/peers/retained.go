package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/entrepot/entrepot/test/peers/load"
)

func retained() []workload {
	return []workload{
		{name: "retained", about: "50,000 retained messages of 64 bytes on topics of 13; then SUBSCRIBE to a filter that holds 100 of them, 50 times, until the last has come; the load generator's core does not sleep meanwhile", peers: brokers, measure: retainedSlice,
			rows: []*row{{key: "bytes", title: "retained message, memory beyond topic and payload", unit: "bytes", goals: []goal{atMost(.35, mosquitto), atMost(400, "")}},
				{key: "slice", title: "slice of 100 of 50,000 retained", unit: "ms", goals: []goal{atMost(.18, "")}}}},
		{name: "retained-wide", once: true, about: "1,000,000 retained messages; SUBSCRIBE to a filter that holds 20,000 of them, 10 times, likewise", peers: []string{entrepot}, measure: retainedWide,
			serving: serving{set: []string{"limits.retained.namespace=2000000", "limits.retained_bytes=8GiB"}},
			rows:    []*row{{key: "slice", title: "wildcard over 20,000 of 1,000,000 retained", unit: "ms", goals: []goal{atMost(3, "")}}}},
	}
}

// retain publishes n retained messages to r/SSS/NNNNN, each to a slice, and returns the memory of one.
func retain(s *server, e *load.Engine, slices, each uint64) (float64, error) {
	pubs, err := connect(s, e, "pub", 10)
	if err != nil {
		return 0, err
	}
	before, err := s.settled(e)
	if err != nil {
		return 0, err
	}
	total := slices * each
	for i, c := range pubs {
		f := c.Publisher("r/000/00000xx", 1, true, 64)
		f.Fan, f.Limit = 0, total/uint64(len(pubs))
		from := uint64(i) * f.Limit
		f.Vary = func(frame []byte, n uint64) {
			n += from
			topic := frame[4:] // after the fixed header and the length of the topic
			digits(topic[2:5], n/each)
			digits(topic[6:11], n%each)
		}
	}
	if err := e.Run(10 * time.Minute); err != nil {
		return 0, err
	}
	after, err := s.settled(e)
	return (after-before)/float64(total) - 13 - 64, err
}

// fetch subscribes anew a number of times, and takes the median time until n messages have come.
func fetch(s *server, e *load.Engine, times, n int, filter func(int) string) (float64, error) {
	e.Poll = true
	defer func() { e.Poll = false }()
	var took []float64
	for i := range times {
		c, err := e.Dial(s.address["mqtt"], fmt.Sprintf("fetch-%d", i), true)
		if err != nil {
			return 0, err
		}
		if err := e.Idle(5 * time.Millisecond); err != nil {
			return 0, err
		}
		began := e.Now()
		c.Write(load.Subscribe(1, 0, filter(i)))
		if err := e.Until(func() bool { return c.Count >= uint64(n) }, time.Minute); err != nil {
			return 0, fmt.Errorf("%d of %d retained messages: %w", c.Count, n, err)
		}
		took = append(took, float64(e.Now()-began)/float64(time.Millisecond))
		c.Close()
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

func retainedSlice(_ *bench, s *server, e *load.Engine) (*result, error) {
	bytes, err := retain(s, e, 500, 100)
	if err != nil {
		return nil, err
	}
	slice, err := fetch(s, e, 50, 100, func(i int) string { return fmt.Sprintf("r/%03d/+", 7*i%500) })
	return &result{values: map[string]float64{"bytes": bytes, "slice": slice}}, err
}

func retainedWide(_ *bench, s *server, e *load.Engine) (*result, error) {
	bytes, err := retain(s, e, 50, 20_000)
	if err != nil {
		return nil, err
	}
	slice, err := fetch(s, e, 10, 20_000, func(i int) string { return fmt.Sprintf("r/%03d/#", 7*i%50) })
	return &result{values: map[string]float64{"bytes": bytes, "slice": slice}, notes: []string{fmt.Sprintf("one of 1,000,000 takes %.0f bytes beyond topic and payload", bytes)}}, err
}
