package main

import (
	"fmt"
	"time"

	"github.com/entrepot/entrepot/test/peers/load"
)

func offline() []workload {
	return []workload{
		{name: "acks", about: "20 publishers, 20 messages in flight each, QoS 1, 64 bytes, nobody subscribed", peers: brokers, measure: transient,
			rows: []*row{cpuRow("acknowledgement, transient", atMost(.17, mosquitto))}},
		{name: "offline", about: "the same publishers send 100,000 messages to one session that is away, in memory; it comes back and drains them; without mochi, which takes minutes for it and loses what is beyond 65,535", peers: []string{entrepot, mosquitto}, measure: offlineQueue,
			rows: []*row{cpuRow("acknowledgement, into an offline session (memory)", atMost(.5, mosquitto)),
				{key: "fill", title: "offline queue, fill", unit: "msgs/s", goals: []goal{atLeast(4, mosquitto)}},
				{key: "drain", title: "offline queue, drain", unit: "msgs/s", goals: []goal{atLeast(2.4, mosquitto)}},
				{key: "bytes", title: "offline queue, memory of an entry (payload of 64 included)", unit: "bytes", goals: []goal{atMost(.6, mosquitto)}}}},
		{name: "synced", about: "the same into an offline session with a store that syncs: 20 publishers × 20 in flight, 64 publishers × 1, one × 1; " +
			"beside it the bare store (pebble, same disk, same core): 64 and 400 writers that wait for the sync of a record of 140 bytes, and one. " +
			"The load generator's core does not sleep beside the store and a lone publisher, so that the time is the broker's and the disk's. Then it sleeps beside both: the disk's interrupts may wake it too, and the publisher's own waking counts twice", peers: []string{entrepot, bareStore}, serving: serving{durable: true}, measure: synced,
			rows: []*row{{key: "400", title: "synced acknowledgements, 20 × 20", unit: "msgs/s", goals: []goal{atLeast(250_000, "")}},
				{key: "64", title: "synced acknowledgements, 64 × 1", unit: "msgs/s", goals: []goal{atLeast(.8, bareStore)}},
				{key: "1", title: "synced acknowledgements, one publisher × 1", unit: "msgs/s", goals: []goal{atLeast(2./3, bareStore)}}, // at most 1.5 times one synced write, here and below
				{key: "1s", title: "synced acknowledgements, one publisher × 1 whose core sleeps", unit: "msgs/s", goals: []goal{atLeast(2./3, bareStore)}},
				{key: "cpu", title: "synced acknowledgements, 20 × 20, CPU", unit: "µs"}}},
	}
}

// publishers are n connections that publish to one topic at QoS 1.
func publishers(s *server, e *load.Engine, name, topic string, n int, window uint64) ([]*load.Flow, error) {
	pubs, err := connect(s, e, name, n)
	if err != nil {
		return nil, err
	}
	var all []*load.Flow
	for _, c := range pubs {
		f := c.Publisher(topic, 1, false, 64)
		f.Fan, f.Window = 0, window
		all = append(all, f)
	}
	return all, nil
}

// away makes a session that is subscribed and not connected.
func away(s *server, e *load.Engine, id, topic string) error {
	c, err := e.Dial(s.address["mqtt"], id, false)
	if err != nil {
		return err
	}
	if err := c.Subscribe(1, 1, topic); err != nil {
		return err
	}
	c.Write([]byte{0xe0, 0})
	c.Close()
	return e.Idle(200 * time.Millisecond)
}

func transient(b *bench, s *server, e *load.Engine) (*result, error) {
	if _, err := publishers(s, e, "pub", "bench/nobody", 20, 20); err != nil {
		return nil, err
	}
	return b.acknowledged(s, e)
}

func offlineQueue(_ *bench, s *server, e *load.Engine) (*result, error) {
	const total = 100_000
	if err := away(s, e, "away", "bench/away"); err != nil {
		return nil, err
	}
	flows, err := publishers(s, e, "pub", "bench/away", 20, 20)
	if err != nil {
		return nil, err
	}
	before, err := s.settled(e)
	if err != nil {
		return nil, err
	}
	for _, f := range flows {
		f.Limit = total / uint64(len(flows))
	}
	from := take(s, e)
	from.done = e.Acked
	if err := e.Run(5 * time.Minute); err != nil {
		return nil, err
	}
	to := take(s, e)
	to.done = e.Acked
	r, err := cost(from, to)
	if err != nil {
		return nil, err
	}
	r.values["fill"] = r.values["rate"]
	after, err := s.settled(e)
	if err != nil {
		return nil, err
	}
	r.values["bytes"] = (after - before) / total
	return r, drain(s, e, r, flows, total)
}

// drain connects the session that was away and counts what it gets.
func drain(s *server, e *load.Engine, r *result, flows []*load.Flow, total uint64) error {
	was, began := e.Received, e.Now()
	e.Ledgers = len(flows) // the first messages may come with the CONNACK
	c, err := e.Dial(s.address["mqtt"], "away", false)
	if err != nil {
		return err
	}
	last, quiet := e.Received, e.Now()
	for e.Received-was < total && e.Now()-quiet < 3*time.Second {
		if err := e.Idle(time.Millisecond); err != nil {
			return err
		}
		if e.Received != last {
			last, quiet = e.Received, e.Now()
		}
	}
	r.values["drain"] = float64(e.Received-was) / (quiet - began).Seconds()
	for i, f := range flows {
		r.account.Add(account([]pair{{f, c, i}}))
	}
	return nil
}

func synced(b *bench, s *server, e *load.Engine) (*result, error) {
	r := &result{values: map[string]float64{}}
	if s.cmd == nil {
		out, err := b.store(s, e, bareStore, true)
		if err != nil {
			return nil, err
		}
		for n, rate := range out {
			r.values[fmt.Sprint(n)] = rate
		}
		out, err = b.store(s, e, loneStore, false)
		r.values["1s"] = out[1]
		return r, err
	}
	for _, x := range []struct {
		n, window int
		key       string
		poll      bool
	}{{20, 20, "400", false}, {64, 1, "64", false}, {1, 1, "1", true}, {1, 1, "1s", false}} {
		one, err := b.syncedBy(s, x.n, x.window, x.poll)
		if err != nil {
			return nil, err
		}
		r.values[x.key] = one.values["rate"]
		if x.key == "400" {
			r.values["cpu"], r.own, r.bound = one.values["cpu"], one.own, one.bound
		}
	}
	return r, nil
}

// syncedBy is one load on an offline session of its own.
func (b *bench) syncedBy(s *server, n, window int, poll bool) (*result, error) {
	e, err := load.New(b.loadCore)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	e.Poll = poll
	name := fmt.Sprintf("synced-%d-%d-%t", n, window, poll)
	if err := away(s, e, name, name); err != nil {
		return nil, err
	}
	if _, err := publishers(s, e, name+"-pub", name, n, uint64(window)); err != nil {
		return nil, err
	}
	return b.acknowledged(s, e)
}
