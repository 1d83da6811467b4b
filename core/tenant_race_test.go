package core_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// Quotas, imports, limits and rules change under publishers and readers of two namespaces; at the end nothing is left
// over: the counts are those of what is there.
func TestSecurity_R11_TenantsChangeUnderTraffic(t *testing.T) {
	t.Parallel()
	s := &strict{limits: map[string]core.PrincipalLimits{}}
	r, err := core.New(core.Options{Store: newMapStore(), Authorizer: s})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var stop atomic.Bool
	var changes, traffic sync.WaitGroup
	changes.Go(func() {
		for i := 0; !stop.Load(); i++ {
			tenants := shares("#", "#", fmt.Sprint("from", i%3))
			tenants["hq"] = core.Tenant{Export: []string{"#"}, Quota: core.Quotas{QueueMessages: 10 + i%5, Retained: 1 + i%3, PublishRate: 1 + i%2*1_000_000}}
			plant := tenants["plant"]
			plant.Quota = core.Quotas{Connections: 3 + i%4, QueueBytes: 4000, Subscriptions: 1 + i%3}
			tenants["plant"] = plant
			if i%4 == 0 {
				tenants = nil
			}
			r.SetTenants(tenants)
			r.SetLimits(core.Limits{Retained: 1 + i%7})
			s.set("u", core.PrincipalLimits{PublishRate: i % 2 * 100, Connections: 10})
			r.Recheck()
			r.Refused(func(string, core.Limit, uint64) {})
			r.Imported(func(string, string, uint64) {})
		}
	})
	for n := range 4 {
		traffic.Go(func() {
			namespace := []string{"hq", "plant"}[n%2]
			for i := range 300 {
				turn := r.NewTurn(nil)
				sink := &worker{turn: turn, ready: make(chan struct{}, 1), closed: make(chan struct{})}
				c, reason := r.Attach(turn, in(namespace, "u", fmt.Sprint("c", n), time.Duration(i%2)*time.Hour), sink)
				if reason != core.OK {
					continue // a quota
				}
				c.Subscribe(turn, []core.Subscription{{Filter: "#", QoS: 1}, {Filter: fmt.Sprint("a/", i), QoS: 1}}, nil)
				for k := range 10 {
					c.Hurries(turn, 10)
					mt, reason := c.Route(turn, []byte(fmt.Sprint("a/", k%3)))
					if reason != core.OK {
						t.Errorf("route: %v", reason)
						break
					}
					m := core.NewMessage([]byte("payload"))
					m.Topic, m.QoS, m.Retain = mt.Topic(), uint8(k%2), k == 5
					c.Publish(turn, mt, m)
					turn.Published(1, 10)
				}
				for x := c.NextReady(); x != nil; x = c.NextReady() {
					for _, d := range x.Take(turn, make([]core.Delivery, 0, 16), 16) {
						x.Settle(turn, d.Seq, core.Accepted)
					}
				}
				c.Detach(turn, core.ConnectionLost)
				turn.End()
			}
		})
	}
	traffic.Wait()
	stop.Store(true)
	changes.Wait()

	// Each place is free again: the quota lets exactly so many in.
	r.SetTenants(map[string]core.Tenant{"plant": {Quota: core.Quotas{Connections: 2}}, "hq": {Quota: core.Quotas{QueueMessages: 1 << 30}}})
	s.set("u", core.PrincipalLimits{})
	r.Recheck()
	turn := r.NewTurn(nil)
	for i, want := range []core.Reason{core.OK, core.OK, core.Quota} {
		if _, reason := r.Attach(turn, in("plant", "u", fmt.Sprint("after", i), 0), deafSink{}); reason != want {
			t.Errorf("connection %d: %v", i, reason)
		}
	}
	turn.End()
	for _, ns := range r.Stats().Namespaces {
		if messages, bytes := r.Totals(ns.Name); ns.Name == "hq" && (messages != int64(ns.QueueMessages) || bytes != ns.QueueBytes) {
			t.Errorf("%s: %d messages, %d bytes are counted, and there are %d, %d", ns.Name, messages, bytes, ns.QueueMessages, ns.QueueBytes)
		}
	}
}
