package main

import (
	"bytes"
	"fmt"
	"time"

	measure "github.com/entrepot/entrepot/internal/bench"
	"github.com/entrepot/entrepot/test/peers/load"
)

var (
	withRelay = []string{entrepot, mosquitto, mochi, relayed}
	brokers   = []string{entrepot, mosquitto, mochi}
)

// cpuRow is the row that most workloads have.
func cpuRow(title string, goals ...goal) *row {
	return &row{key: "cpu", title: title, unit: "µs", goals: goals}
}

func throughput() []workload {
	all := []workload{
		{name: "fan-in", about: "50 publishers, one subscriber, one topic, QoS 0", peers: withRelay,
			rows: []*row{cpuRow("fan-in 50→1, QoS 0", atMost(.05, mosquitto))}, measure: fanIn},
		{name: "fan-out", about: "one publisher, 500 subscribers, one topic, QoS 0", peers: withRelay,
			rows: []*row{cpuRow("fan-out 1→500, QoS 0", atMost(.19, mosquitto))}, measure: fanOut},
	}
	for qos, limit := range []float64{.04, .035, .027} {
		w := workload{name: fmt.Sprintf("pairs-%d", qos), about: fmt.Sprintf("100 publishers, each with a subscriber and a topic of its own, QoS %d", qos), peers: brokers,
			rows: []*row{cpuRow(fmt.Sprintf("pairs, QoS %d", qos), atMost(limit, mosquitto))}, measure: pairs(byte(qos), 64)}
		if qos == 0 {
			w.peers = withRelay
		}
		all = append(all, w)
	}
	for _, x := range []struct {
		name  string
		size  int
		limit float64
	}{{"1 KiB", 1 << 10, .07}, {"16 KiB", 16 << 10, .4}} {
		all = append(all, workload{name: fmt.Sprintf("size-%d", x.size), about: "the same pairs at QoS 0 with payloads of " + x.name, peers: withRelay,
			rows: []*row{cpuRow("pairs, "+x.name, atMost(x.limit, mosquitto))}, measure: pairs(0, x.size)})
	}
	for _, x := range []struct {
		rate int
		to   string
		max  float64
	}{{5000, mosquitto, 1.05}, {20000, relayed, 1.1}} {
		w := workload{name: fmt.Sprintf("paced-%d", x.rate), peers: withRelay, measure: paced(float64(x.rate)),
			about: fmt.Sprintf("the same pairs at QoS 0, %d messages a second in all, one by one; latency from the intended time of sending", x.rate),
			rows: []*row{cpuRow(fmt.Sprintf("paced %d/s", x.rate), atMost(x.max, x.to)),
				{key: "p50", title: fmt.Sprintf("paced %d/s, median latency", x.rate), unit: "µs", goals: []goal{atMost(1, mosquitto)}},
				{key: "p99", title: fmt.Sprintf("paced %d/s, p99", x.rate), unit: "µs"},
				{key: "p99.9", title: fmt.Sprintf("paced %d/s, p99.9", x.rate), unit: "µs"}}}
		if x.to == mosquitto {
			w.rows[0].goals = append(w.rows[0].goals, atMost(x.max, relayed))
		}
		all = append(all, w)
	}
	return append(all, workload{name: "filters", about: "50 sessions with 1,000 filters each, half of them f/SESSION/NUMBER/t and half f/SESSION/NUMBER/+, 100 to a SUBSCRIBE; " +
		"50 publishers to one session each, the next topic with every message, QoS 0", peers: brokers, measure: filters,
		rows: []*row{cpuRow("50,000 filters, message", atMost(.4, mosquitto)),
			{key: "bytes", title: "50,000 filters, memory of one", unit: "bytes", goals: []goal{atMost(.45, mosquitto)}},
			{key: "subscribes", title: "50,000 filters, SUBSCRIBE", unit: "filters/s", goals: []goal{atLeast(1.5, mosquitto)}},
			{key: "subscribe", title: "50,000 filters, SUBSCRIBE, CPU of a filter", unit: "µs"}}})
}

func fanIn(b *bench, s *server, e *load.Engine) (*result, error) {
	subs, err := connect(s, e, "sub", 1)
	if err != nil {
		return nil, err
	}
	if err := subs[0].Subscribe(0, 50, "bench/in"); err != nil {
		return nil, err
	}
	pubs, err := connect(s, e, "pub", 50)
	if err != nil {
		return nil, err
	}
	var all []pair
	for i, c := range pubs {
		all = append(all, pair{c.Publisher("bench/in", 0, false, 64), subs[0], i})
	}
	return b.flood(s, e, all)
}

func fanOut(b *bench, s *server, e *load.Engine) (*result, error) {
	subs, err := connect(s, e, "sub", 500)
	if err != nil {
		return nil, err
	}
	for _, c := range subs {
		if err := c.Subscribe(0, 1, "bench/out"); err != nil {
			return nil, err
		}
	}
	pubs, err := connect(s, e, "pub", 1)
	if err != nil {
		return nil, err
	}
	f := pubs[0].Publisher("bench/out", 0, false, 64)
	f.Fan = uint64(len(subs))
	var all []pair
	for _, c := range subs {
		all = append(all, pair{f, c, 0})
	}
	return b.flood(s, e, all)
}

// paired opens n publishers with a subscriber each.
func paired(s *server, e *load.Engine, n int, qos byte, size int) ([]pair, error) {
	subs, err := connect(s, e, "sub", n)
	if err != nil {
		return nil, err
	}
	for i, c := range subs {
		if err := c.Subscribe(qos, n, fmt.Sprintf("bench/pair/%03d", i)); err != nil {
			return nil, err
		}
	}
	pubs, err := connect(s, e, "pub", n)
	if err != nil {
		return nil, err
	}
	var all []pair
	for i, c := range pubs {
		all = append(all, pair{c.Publisher(fmt.Sprintf("bench/pair/%03d", i), qos, false, size), subs[i], i})
	}
	return all, nil
}

func pairs(qos byte, size int) func(*bench, *server, *load.Engine) (*result, error) {
	return func(b *bench, s *server, e *load.Engine) (*result, error) {
		all, err := paired(s, e, 100, qos, size)
		if err != nil {
			return nil, err
		}
		return b.flood(s, e, all)
	}
}

func paced(rate float64) func(*bench, *server, *load.Engine) (*result, error) {
	return func(b *bench, s *server, e *load.Engine) (*result, error) {
		all, err := paired(s, e, 100, 0, 64)
		if err != nil {
			return nil, err
		}
		if err := e.Pace(rate, b.warmup); err != nil {
			return nil, err
		}
		e.Latency = &measure.Histogram{}
		from := take(s, e)
		if err := e.Pace(rate, b.time); err != nil {
			return nil, err
		}
		to := take(s, e)
		h := e.Latency
		e.Latency = nil
		r, err := finish(e, from, to, all)
		if err != nil {
			return nil, err
		}
		for name, q := range map[string]float64{"p50": .5, "p99": .99, "p99.9": .999} {
			r.values[name] = float64(h.Quantile(q)) / float64(time.Microsecond)
		}
		if got := r.values["rate"]; got < .98*rate {
			r.notes = append(r.notes, fmt.Sprintf("%s reached %.0f/s of %.0f/s", s.peer.name, got, rate))
		}
		return r, nil
	}
}

const (
	sessions   = 50
	perSession = 1000
)

func filters(b *bench, s *server, e *load.Engine) (*result, error) {
	subs, err := connect(s, e, "sub", sessions)
	if err != nil {
		return nil, err
	}
	pubs, err := connect(s, e, "pub", sessions)
	if err != nil {
		return nil, err
	}
	before, err := s.settled(e)
	if err != nil {
		return nil, err
	}
	from := take(s, e)
	want := e.Subacks
	for i, c := range subs {
		c.Ledgers = make([]load.Ledger, sessions)
		want += subscribeAll(c, perSession, func(n int) string {
			return fmt.Sprintf("f/%02d/%04d/%c", i, n, "t+"[n%2])
		})
	}
	if err := e.Until(func() bool { return e.Subacks >= want }, time.Minute); err != nil {
		return nil, err
	}
	to := take(s, e)
	after, err := s.settled(e)
	if err != nil {
		return nil, err
	}
	var all []pair
	for i, c := range pubs {
		f := c.Publisher(fmt.Sprintf("f/%02d/0000/t", i), 0, false, 64)
		f.Vary = number("/0000/", perSession)
		all = append(all, pair{f, subs[i], i})
	}
	r, err := b.flood(s, e, all)
	if err != nil {
		return nil, err
	}
	r.values["bytes"] = (after - before) / (sessions * perSession)
	r.values["subscribes"] = sessions * perSession / (to.at - from.at).Seconds()
	r.values["subscribe"] = float64(to.broker-from.broker) / 1e3 / (sessions * perSession)
	return r, nil
}

// subscribeAll sends the SUBSCRIBE packets of n filters and returns how many.
func subscribeAll(c *load.Conn, n int, filter func(int) string) (packets uint64) {
	const each = 100
	for from := 0; from < n; from += each {
		var some []string
		for k := from; k < min(n, from+each); k++ {
			some = append(some, filter(k))
		}
		packets++
		c.Write(load.Subscribe(uint16(packets), 0, some...))
	}
	return packets
}

// number writes the digits of a message's number, modulo n, where a topic has the mark: between its first and last byte.
func number(mark string, n uint64) func([]byte, uint64) {
	at := 0
	return func(frame []byte, i uint64) {
		if at == 0 {
			at = bytes.Index(frame, []byte(mark)) + 1
		}
		digits(frame[at:at+len(mark)-2], i%n)
	}
}

// digits writes a number with leading zeros.
func digits(b []byte, n uint64) {
	for k := len(b) - 1; k >= 0; k-- {
		b[k] = '0' + byte(n%10)
		n /= 10
	}
}
