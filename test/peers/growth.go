package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"

	"github.com/entrepot/entrepot/test/peers/load"
)

func growth() []workload {
	var w []workload
	sizes := []int{1_000, 10_000, 100_000, 1_000_000}
	w = append(w, workload{name: "growth-subscriptions", about: "100 pairs at QoS 0 beside so many subscriptions of others, half exact and half with +; the ratio is to the cost beside 1,000", peers: []string{entrepot},
		measure: growSubscriptions(sizes), rows: []*row{
			{key: "1000", title: "pairs beside 1,000 subscriptions", unit: "µs"}, {key: "10000", title: "pairs beside 10,000 subscriptions", unit: "µs"},
			{key: "100000", title: "pairs beside 100,000 subscriptions", unit: "µs"}, {key: "1000000", title: "pairs beside 1,000,000 subscriptions", unit: "µs"},
			{key: "growth", title: "growth from 1,000 to 1,000,000 subscriptions", unit: "×", goals: []goal{atMost(1.1, "")}}}})
	w = append(w, workload{name: "growth-connections", about: "10 pairs at QoS 0 beside 100 idle connections, then as many as RLIMIT_NOFILE allows", peers: []string{entrepot}, measure: growConnections, rows: []*row{
		{key: "few", title: "pairs beside 100 connections", unit: "µs"}, {key: "many", title: "pairs beside all the connections that can be had", unit: "µs"},
		{key: "growth", title: "growth from 100 connections", unit: "×", goals: []goal{atMost(1.1, "")}}}})
	return append(w, workload{name: "cores", about: "100 pairs at QoS 0 with the broker on one core, then on two. The load generator needs one of the two, so what two cores would carry is 2 × the cost of one ÷ the cost on two", peers: []string{entrepot},
		measure: growCores, rows: []*row{{key: "one", title: "pairs, one core", unit: "µs"}, {key: "two", title: "pairs, two cores", unit: "µs"},
			{key: "gain", title: "two cores against one", unit: "×", goals: []goal{atLeast(1.8, "")}}}})
}

func growSubscriptions(sizes []int) func(*bench, *server, *load.Engine) (*result, error) {
	return func(b *bench, s *server, e *load.Engine) (*result, error) {
		const others, each = 100, 100
		all, err := paired(s, e, 100, 0, 64)
		if err != nil {
			return nil, err
		}
		subs, err := connect(s, e, "other", others)
		if err != nil {
			return nil, err
		}
		r := &result{values: map[string]float64{}}
		have := 0 // of each
		for _, size := range sizes {
			want := e.Subacks
			for i, c := range subs {
				want += subscribeAll(c, size/others-have, func(n int) string { return fmt.Sprintf("g/%02d/%06d/%c", i, have+n, "t+"[n%2]) })
			}
			have = size / others
			if err := e.Until(func() bool { return e.Subacks >= want }, 5*time.Minute); err != nil {
				return nil, err
			}
			one, err := b.flood(s, e, all)
			if err != nil {
				return nil, err
			}
			r.values[fmt.Sprint(size)], r.account = one.values["cpu"], one.account
			r.bound = r.bound || one.bound
			r.own = one.own
		}
		r.values["growth"] = r.values[fmt.Sprint(sizes[len(sizes)-1])] / r.values[fmt.Sprint(sizes[0])]
		return r, nil
	}
}

func growConnections(b *bench, s *server, e *load.Engine) (*result, error) {
	all, err := paired(s, e, 10, 0, 64)
	if err != nil {
		return nil, err
	}
	if _, err := connect(s, e, "few", 100); err != nil {
		return nil, err
	}
	few, err := b.flood(s, e, all)
	if err != nil {
		return nil, err
	}
	n := connections() - 200
	if _, err := connect(s, e, "many", n); err != nil {
		return nil, err
	}
	many, err := b.flood(s, e, all)
	if err != nil {
		return nil, err
	}
	return &result{values: map[string]float64{"few": few.values["cpu"], "many": many.values["cpu"], "growth": many.values["cpu"] / few.values["cpu"]},
		account: many.account, own: many.own, bound: few.bound || many.bound, notes: []string{fmt.Sprintf("%d connections were reached", n+120)}}, nil
}

func growCores(b *bench, s *server, e *load.Engine) (*result, error) {
	if len(b.brokerCores) < 2 {
		return nil, fmt.Errorf("this machine has one core")
	}
	all, err := paired(s, e, 100, 0, 64)
	if err != nil {
		return nil, err
	}
	one, err := b.flood(s, e, all)
	if err != nil {
		return nil, err
	}
	both, err := b.run(entrepot, serving{cores: b.brokerCores})
	if err != nil {
		return nil, err
	}
	defer both.stop()
	e2, err := load.New(b.loadCore)
	if err != nil {
		return nil, err
	}
	defer e2.Close()
	if all, err = paired(both, e2, 100, 0, 64); err != nil {
		return nil, err
	}
	two, err := b.flood(both, e2, all)
	if err != nil {
		return nil, err
	}
	one.account.Add(two.account)
	return &result{values: map[string]float64{"one": one.values["cpu"], "two": two.values["cpu"], "gain": 2 * one.values["cpu"] / two.values["cpu"]},
		account: one.account, own: one.own, bound: one.bound}, nil
}

func across() []workload {
	var w []workload
	for _, x := range [][2]string{{"mqtt", "stomp"}, {"mqttsn", "amqp"}, {"coap", "mqtt"}} {
		name := x[0] + "→" + x[1]
		w = append(w, workload{name: "across-" + x[0] + "-" + x[1], about: "entrepot bench --from " + x[0] + " --to " + x[1] + ", 10 pairs, 16 in flight each, QoS 0; beside it half of each protocol alone",
			peers: []string{entrepot}, serving: serving{protocols: []string{"mqttsn", "coap", "stomp", "amqp"}}, measure: acrossBy(x[0], x[1]),
			rows: []*row{{key: "cpu", title: name, unit: "µs"}, {key: "halves", title: "half of " + x[0] + " and half of " + x[1], unit: "µs"},
				{key: "ratio", title: name + " to the sum of the halves", unit: "×", goals: []goal{atMost(1, "")}}}})
	}
	return w
}

func acrossBy(from, to string) func(*bench, *server, *load.Engine) (*result, error) {
	return func(b *bench, s *server, _ *load.Engine) (*result, error) {
		r := &result{values: map[string]float64{}}
		var cpu [3]float64
		for i, x := range [][2]string{{from, to}, {from, from}, {to, to}} {
			one, err := b.product(s, x[0], x[1])
			if err != nil {
				return nil, err
			}
			cpu[i] = one.values["cpu"]
			if i == 0 {
				r.own, r.account = one.own, one.account
			}
		}
		r.values["cpu"], r.values["halves"] = cpu[0], (cpu[1]+cpu[2])/2
		r.values["ratio"] = r.values["cpu"] / r.values["halves"]
		return r, nil
	}
}

// product lets `entrepot bench` make the load.
func (b *bench) product(s *server, from, to string) (*result, error) {
	cmd := exec.Command(b.entrepot, "bench", "--from", from+"://"+s.address[from], "--to", to+"://"+s.address[to], "--pub", "10", "--sub", "10", "--window", "16",
		"--warmup", b.warmup.String(), "--time", b.time.String(), "--pid", fmt.Sprint(s.cmd.Process.Pid), "-o", "json")
	var out, report bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &report
	ended, err := start(cmd, []int{max(b.loadCore, 0)})
	if err != nil {
		return nil, err
	}
	<-ended
	var j struct {
		Sent, Received, Lost, Duplicates uint64
		OutOfOrder                       uint64 `json:"out_of_order"`
		Processes                        []struct {
			CPU float64 `json:"cpu_microseconds_per_message"`
		}
		Self struct {
			CPU float64 `json:"cpu_microseconds_per_message"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &j); err != nil {
		return nil, fmt.Errorf("entrepot bench --from %s --to %s: %w: %s", from, to, err, report.String())
	}
	if j.Received == 0 || len(j.Processes) != 1 {
		return nil, fmt.Errorf("entrepot bench --from %s --to %s: nothing arrived", from, to)
	}
	return &result{values: map[string]float64{"cpu": j.Processes[0].CPU}, own: j.Self.CPU,
		account: load.Account{Sent: j.Sent, Expected: j.Sent, Received: j.Received, Lost: j.Lost, Doubled: j.Duplicates, Late: j.OutOfOrder}}, nil
}
