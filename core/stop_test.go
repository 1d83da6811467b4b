package core_test

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestAStoppedConsumerSettlesAndTakesNoMore(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(core.Client{})
		_, _, _, _, reason := a.Declare(w.turn, core.QueueSpec{Name: "q"})
		expect(t, "declare", reason, core.OK)
		first, reason := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2})
		expect(t, "consume", reason, core.OK)
		a.expect(10, "")
		a.pub("$queue/q", "1", 1)
		a.pub("$queue/q", "2", 1)
		got := a.expect(10, "$queue/q=1/1 $queue/q=2/1")
		first.Stop(w.turn)
		info, _ := a.Inspect("q")
		expect(t, "consumers", info.Consumers, 0)
		expect(t, "in flight", info.InFlight, 2)
		_, reason = b.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2, Exclusive: true})
		expect(t, "exclusive consume", reason, core.OK)
		a.settle(core.Accepted, got[0])
		a.settle(core.Released, got[1])
		a.pub("$queue/q", "3", 1)
		b.expect(10, "$queue/q=2/1+ $queue/q=3/1")
		a.expect(10, "")
	})
}

// onlyTopic lets a principal publish to one topic.
type onlyTopic string

func (o onlyTopic) Authorize(_ *core.Principal, a core.Action, topic string) bool {
	return a != core.ActionPublish || topic == string(o)
}

func TestRoutingIntoQueuesAsksForTheRightToPublish(t *testing.T) {
	simulateWith(t, core.Options{Authorizer: onlyTopic("$queue/yes")}, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "yes"})
		_, reason := a.RouteQueues(w.turn, "$queue/yes", "yes")
		expect(t, "allowed", reason, core.OK)
		_, reason = a.RouteQueues(w.turn, "$queue/no", "yes")
		expect(t, "denied", reason, core.NotAuthorized)
	})
}

func TestAWokenConsumerThatLeavesWakesTheNext(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q"})
		c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2})
		b.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2})
		a.expect(10, "")
		b.expect(10, "")
		b.pub("$queue/q", "1", 1) // wakes a, the longest asleep
		c.Cancel(w.turn)
		b.expect(10, "$queue/q=1/1")
	})
}
