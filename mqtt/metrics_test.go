package mqtt

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// counts checks counters, each written as name, labels and the value.
func (w *world) counts(want map[[4]string]uint64) {
	w.t.Helper()
	for k, n := range want {
		labels := k[1:]
		for len(labels) > 0 && labels[len(labels)-1] == "" {
			labels = labels[:len(labels)-1]
		}
		if got := w.count(k[0], labels...); got != n {
			w.t.Errorf("%v: %d, want %d", k, got, n)
		}
	}
}

func TestMQTT_7_PacketsAndConnectionsAreCounted(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.reader("p", v5, "a")
		q := w.connect("q", v311)
		q.send(pub("a", "x", 1, 1), ping)
		q.want("PUBACK #1", "PINGRESP")
		p.recv()
		w.counts(map[[4]string]uint64{
			{"mqtt_packets_total", "in", "CONNECT"}: 2, {"mqtt_packets_total", "out", "CONNACK"}: 2,
			{"mqtt_packets_total", "in", "SUBSCRIBE"}: 1, {"mqtt_packets_total", "out", "SUBACK"}: 1,
			{"mqtt_packets_total", "in", "PUBLISH"}: 1, {"mqtt_packets_total", "out", "PUBLISH"}: 1, {"mqtt_packets_total", "out", "PUBACK"}: 1,
			{"mqtt_packets_total", "in", "PINGREQ"}: 1, {"mqtt_packets_total", "out", "PINGRESP"}: 1,
			{"mqtt_connections", "5.0"}: 1, {"mqtt_connections", "3.1.1"}: 1, {"mqtt_connections", "3.1"}: 0,
		})
		q.send(bye(packet.Success))
		p.raw("30 00")
		w.counts(map[[4]string]uint64{
			{"mqtt_packets_total", "in", "DISCONNECT"}: 1, {"mqtt_packets_total", "out", "DISCONNECT"}: 1,
			{"mqtt_connections", "5.0"}: 0, {"mqtt_connections", "3.1.1"}: 0,
		})
	})
}

func TestMQTT_7_ReasonCodesAreCountedBothWays(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.reader("p", v5, "a")
		q := w.connect("q", v5)
		q.send(pub("nobody", "x", 1, 1), pub("nobody", "x", 1, 2), pub("a", "x", 1, 3))
		p.recv()
		p.send(ack(packet.PUBACK, 2, packet.ImplementationSpecificError))
		q.send(bye(packet.UnspecifiedError))
		p.raw("30 00")
		w.dial("#", v5)
		w.counts(map[[4]string]uint64{
			{"mqtt_reason_codes_total", "PUBACK", "10", "out"}: 2, {"mqtt_reason_codes_total", "PUBACK", "83", "in"}: 1,
			{"mqtt_reason_codes_total", "DISCONNECT", "80", "in"}: 1, {"mqtt_reason_codes_total", "DISCONNECT", "81", "out"}: 1,
			{"mqtt_reason_codes_total", "CONNACK", "85", "out"}: 1,
		})
	})
}

func TestMQTT_7_RedeliveriesAreCountedByQoS(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.connect("r", v5, keep(100))
		r.send(sub(1, "a", 2))
		r.recv()
		w.connect("p", v5).send(pub("a", "1", 1, 1), pub("a", "2", 2, 2))
		r.Drop()
		w.resumes("r", v5, keep(100))
		w.counts(map[[4]string]uint64{{"mqtt_redelivered_total", "1"}: 1, {"mqtt_redelivered_total", "2"}: 1, {"mqtt_redelivered_total", "0"}: 0})
	})
}

func TestMQTT_7_WhatAliasesSaveIsCounted(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.connect("r", v5, num(packet.TopicAliasMaximum, 5))
		r.send(sub(1, "long/#", 0))
		r.recv()
		p := w.connect("p", v5)
		for range 3 {
			p.send(pub("long/topic", "x", 0, 0))
		}
		w.counts(map[[4]string]uint64{{"mqtt_alias_saved_bytes_total"}: 2 * 10})
	})
}

// wills checks what became of the wills.
func (w *world) wills(published, cancelled, denied, expired uint64, pending int64) {
	w.t.Helper()
	c := w.Router.Wills(Name)
	got := [4]uint64{c.Published.Load(), c.Cancelled.Load(), c.Denied.Load(), c.Expired.Load()}
	if want := [4]uint64{published, cancelled, denied, expired}; got != want || c.Pending.Load() != pending {
		w.t.Errorf("published, cancelled, denied, expired %d, %d pending; want %d, %d", got, c.Pending.Load(), want, pending)
	}
}

// revoked refuses wills once it is set.
type revoked struct{ all bool }

func (r *revoked) Authorize(_ *core.Principal, a core.Action, _ string) bool {
	return !r.all || a != core.ActionWill
}

func TestMQTT_7_WhatBecomesOfWillsIsCounted(t *testing.T) {
	rights := new(revoked)
	run(t, nil, func(w *world) {
		delayed := []connectOption{keep(100), will("w", "x", 0, false, setNum(packet.WillDelayInterval, 10))}
		w.connect("at once", v5, will("w", "x", 0, false)).Drop()
		w.wills(1, 0, 0, 0, 0)
		w.connect("orderly", v311, will("w", "x", 0, false)).send(bye(packet.Success))
		w.wills(1, 1, 0, 0, 0)
		w.connect("back", v5, delayed...).Drop()
		w.connect("late", v5, delayed...).Drop()
		w.wills(1, 1, 0, 0, 2)
		back, _ := w.resumes("back", v5, delayed...)
		w.wills(1, 2, 0, 0, 1)
		w.resumes("back", v5, delayed...) // a takeover: the delay had not begun
		back.recv()
		w.wills(1, 3, 0, 0, 1)
		w.Advance(11 * time.Second)
		w.wills(2, 3, 0, 0, 0)
		w.connect("clean", v5, delayed...).Drop()
		w.connect("clean", v5, clean) // ends the session, whatever the delay
		w.wills(3, 3, 0, 0, 0)
		w.connect("ended", v5, keep(1), will("w", "x", 0, false, setNum(packet.WillDelayInterval, 10))).Drop()
		w.Advance(2 * time.Second)
		w.wills(4, 3, 0, 0, 0)
		gone := w.connect("gone", v5, will("w", "x", 0, false))
		rights.all = true
		gone.Drop()
		w.wills(4, 3, 1, 0, 0)
		rights.all = false
		last := w.connect("last", v5, will("w", "x", 0, false))
		w.Router.Stop()
		last.Drop()
		w.wills(4, 3, 1, 1, 0)
	}, func(o *adaptertest.Options) { o.Core = func(c *core.Options) { c.Authorizer = rights } })
}

func TestMQTT_7_PendingWillsAreCountedAgainAfterARestart(t *testing.T) {
	t.Parallel()
	store := adaptertest.NewStore()
	for i := range 2 {
		adaptertest.Test(t, roomWith(nil), adaptertest.Options{Store: store}, func(t *testing.T, d *adaptertest.Driver) {
			w := &world{d, t}
			if i == 0 {
				w.connect("away", v5, keep(1000), will("w", "x", 1, false, setNum(packet.WillDelayInterval, 3))).Drop()
				w.connect("there", v5, keep(1000), will("w", "x", 1, false))
				w.wills(0, 0, 0, 0, 1)
				w.Router.Stop()
				return
			}
			w.wills(0, 0, 0, 0, 2)
			w.resumes("there", v5)
			w.wills(0, 1, 0, 0, 1)
			w.Advance(40 * time.Second)
			w.wills(1, 1, 0, 0, 0)
		})
	}
}
