package core_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestGroupGivesEachMessageToOneMember(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(core.Client{ID: "a"}), w.attach(core.Client{ID: "b"}), w.attach(core.Client{})
		a.sub("$share/g/x", 1)
		b.sub("$share/g/x", 1)
		a.take(99)
		b.take(99)
		for i := range 10 {
			p.pub("x", fmt.Sprint(i), 1)
		}
		once := func(c *conn) int { // one turn of a connection, as a loop gives them
			return len(c.NextReady().Take(w.turn, make([]core.Delivery, 0, 64), 99))
		}
		expect(t, "first member", once(a), 5)
		expect(t, "second member", once(b), 5)
	})
}

// Who is served first, because its loop runs first, leaves their share to those
// who were woken too, however often it takes meanwhile.
func TestNobodyTakesTwiceBeforeTheOthersHadTheirShare(t *testing.T) {
	simulate(t, func(w *world) {
		p, members := w.attach(core.Client{}), []*conn{}
		for _, id := range []string{"a", "b", "c"} {
			c := w.attach(core.Client{ID: id})
			c.sub("$share/g/x", 1)
			c.take(99)
			members = append(members, c)
		}
		publish := func(n int) {
			for range n {
				p.pub("x", "m", 1)
			}
		}
		a, got := members[0], make([]int, 3)
		publish(12)
		got[0] += len(a.take(99))
		publish(3)
		got[0] += len(a.take(99)) // one that was sated is not woken
		expect(t, "before the others came", got[0], 4)
		for range 9 {
			for i, c := range members {
				got[i] += len(c.take(99))
			}
		}
		expect(t, "all", got[0]+got[1]+got[2], 15)
		if slices.Min(got) < 4 {
			t.Errorf("shares %v", got)
		}
	})
}

func TestAShareIsTheSameInOneHelpingOrInMany(t *testing.T) {
	for _, at := range []int{1, 3, 64} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			simulate(t, func(w *world) {
				a, b, p := w.attach(core.Client{ID: "a"}), w.attach(core.Client{ID: "b"}), w.attach(core.Client{})
				a.sub("$share/g/x", 1)
				b.sub("$share/g/x", 1)
				a.take(99)
				b.take(99)
				for range 20 {
					p.pub("x", "m", 1)
				}
				c, n := a.NextReady(), 0
				for more := true; more; {
					got := len(c.Take(w.turn, make([]core.Delivery, 0, at), 99))
					n, more = n+got, got == at
				}
				expect(t, "first member", n, 10)
				expect(t, "second member", len(b.take(99)), 10)
			})
		})
	}
}

func TestGroupGoesPastTheMemberWithoutWindow(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(core.Client{ID: "a"}), w.attach(core.Client{ID: "b"}), w.attach(core.Client{})
		a.sub("$share/g/x", 1)
		b.sub("$share/g/x", 1)
		a.take(0)
		b.take(99)
		for i := range 4 {
			p.pub("x", fmt.Sprint(i), 1)
			a.take(0)
		}
		b.expect(99, "x=0/1 x=1/1 x=2/1 x=3/1")
	})
}

func TestMemberThatLeavesGivesItsQoS1ToOthersAndKeepsItsQoS2(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		a.sub("$share/g/x", 2)
		p.pub("x", "1", 1)
		p.pub("x", "2", 2)
		a.expect(99, "x=1/1 x=2/2")
		b.sub("$share/g/x", 2)
		b.expect(99, "")
		a.Detach(w.turn, core.ConnectionLost)
		b.expect(99, "x=1/1+")
		w.attach(durable("a")).expect(99, "x=2/2+")
	})
}

func TestGroupWaitsForDurableMembersOnly(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(core.Client{ID: "b"}), w.attach(core.Client{})
		a.sub("$share/g/x", 1)
		b.sub("$share/h/x", 1)
		a.Detach(w.turn, core.ConnectionLost)
		b.Detach(w.turn, core.ConnectionLost)
		p.pub("x", "1", 1)
		w.attach(durable("a")).expect(9, "x=1/1")
	})
}

func TestLastMemberEndsTheGroup(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("$share/g/x", 1)
		a.Unsubscribe(w.turn, []string{"$share/g/x"}, nil)
		expect(t, "publish", p.pub("x", "1", 1), core.NoReceiver)
		w.end()
		expect(t, "records", w.store.count('n'), 0)
	})
}

func TestNamedQueueIsSharedByItsConsumers(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(core.Client{}), w.attach(core.Client{}), w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		p.pub("$queue/q", "1", 1)
		p.pub("$queue/q", "2", 0)
		_, reason := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2, AckAll: true})
		expect(t, "consume", reason, core.OK)
		got := a.expect(9, "$queue/q=1/1 $queue/q=2")
		b.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2, AckAll: true})
		b.expect(9, "")
		a.settle(core.Released, got[0])
		again := b.expect(9, "$queue/q=1/1+")
		a.Detach(w.turn, core.ConnectionLost)
		again = append(again, b.expect(9, "$queue/q=2+")...)
		b.settle(core.Accepted, again...)
		info, _ := b.Inspect("q")
		expect(t, "left", info.Waiting+info.InFlight, 0)
	})
}

func TestReleasedMessageKeepsItsPlace(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(core.Client{}), w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q"})
		for i := range 4 {
			p.pub("$queue/q", fmt.Sprint(i), 1)
		}
		c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2})
		got := c.Take(w.turn, make([]core.Delivery, 0, 9), 3)
		c.Settle(w.turn, got[2].Seq, core.Released)
		c.Settle(w.turn, got[0].Seq, core.Released)
		next := c.Take(w.turn, make([]core.Delivery, 0, 9), 9)
		expect(t, "order", text(next), "$queue/q=0/1+ $queue/q=2/1+ $queue/q=3/1")
	})
}

func TestRejectedGoesToTheDeadLetterQueue(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", DeadLetter: true, MaxAttempts: 2})
		a.pub("$queue/q", "1", 1)
		a.pub("$queue/q", "2", 1)
		a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2})
		got := a.expect(9, "$queue/q=1/1 $queue/q=2/1")
		a.settle(core.Rejected, got[0])
		a.settle(core.Released, got[1])
		a.settle(core.Released, a.expect(9, "$queue/q=2/1+")...)
		info, reason := a.Inspect("$dead/q")
		expect(t, "dead queue", reason, core.OK)
		expect(t, "dead letters", info.Waiting, 2)
	})
}

func TestSubscribingToAQueueThatIsAbsentMakesItBoundToItsName(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(core.Client{ID: "a"}), w.attach(core.Client{})
		a.subscribe(core.Subscription{Filter: "$queue/jobs/+", QoS: 1, ID: 3})
		p.pub("jobs/1", "m", 1)
		a.expect(9, "jobs/1=m/1[3]")
		a.Detach(w.turn, core.ConnectionLost)
		p.pub("jobs/2", "n", 1)
		w.sleep(24*time.Hour - time.Second)
		_, reason := p.Inspect("jobs/+")
		expect(t, "holds a message", reason, core.OK)
		b := w.attach(core.Client{})
		b.Consume(w.turn, "jobs/+", core.ConsumeOptions{QoS: 2})
		b.settle(core.Accepted, b.expect(9, "jobs/1=m/1+ jobs/2=n/1")...)
		b.Detach(w.turn, core.Normal)
		w.sleep(24*time.Hour - time.Second)
		_, reason = p.Inspect("jobs/+")
		expect(t, "before", reason, core.OK)
		w.sleep(2 * time.Second)
		_, reason = p.Inspect("jobs/+")
		expect(t, "after a day without use", reason, core.NotFound)
	})
}

func TestExclusiveQueueEndsWithItsConnection(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", Exclusive: true})
		_, reason := b.Inspect("q")
		expect(t, "locked", reason, core.Locked)
		expect(t, "may be sent to", b.pub("$queue/q", "m", 0), core.OK)
		a.Detach(w.turn, core.Normal)
		_, reason = b.Inspect("q")
		expect(t, "gone", reason, core.NotFound)
	})
}

func TestAutoDeleteQueueGoesWithItsLastConsumer(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", AutoDelete: true})
		c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{})
		c.Cancel(w.turn)
		_, reason := a.Inspect("q")
		expect(t, "gone", reason, core.NotFound)
	})
}

func TestDeletedQueueTellsItsConsumers(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(core.Client{})
		b.Declare(w.turn, core.QueueSpec{Name: "q"})
		c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{})
		a.take(9)
		b.pub("$queue/q", "m", 1)
		_, reason := b.Delete(w.turn, "q", true, false)
		expect(t, "if unused", reason, core.InUse)
		n, reason := b.Delete(w.turn, "q", false, false)
		expect(t, "delete", reason, core.OK)
		expect(t, "waited", n, 1)
		a.take(9)
		r, closed := c.Closed()
		expect(t, "closed", closed, true)
		expect(t, "reason", r, core.QueueDeleted)
	})
}

func TestTakeOneLeavesNoConsumer(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q"})
		a.pub("$queue/q", "1", 1)
		a.pub("$queue/q", "2", 1)
		d, left, ok, _ := a.get("q", false)
		expect(t, "got", ok, true)
		expect(t, "left", left, 1)
		info, _ := a.Inspect("q")
		expect(t, "consumers", info.Consumers, 0)
		d.Consumer.Settle(w.turn, d.Seq, core.Accepted)
		_, _, ok, _ = a.get("q", false)
		expect(t, "second", ok, true)
		_, _, ok, _ = a.get("q", false)
		expect(t, "empty", ok, false)
		b.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		b.take(9)
		a.Detach(w.turn, core.ConnectionLost)
		b.expect(9, "$queue/q=2/1+")
	})
}

func TestPurgeLeavesWhatIsInFlight(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		for range 3 {
			a.pub("$queue/q", "m", 1)
		}
		c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		got := c.Take(w.turn, make([]core.Delivery, 0, 1), 1)
		w.end()
		n, _ := a.Purge(w.turn, "q")
		expect(t, "purged", n, 2)
		info, _ := a.Inspect("q")
		expect(t, "in flight", info.InFlight, 1)
		a.settle(core.Accepted, got...)
		w.end()
		expect(t, "records", w.store.count('q'), 0)
	})
}

func TestDeadLetterOfASharedMessageOutlivesItsRecord(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(durable("b"))
		b.sub("x", 1)
		a.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, DeadLetter: true})
		a.Bind(w.turn, "q", core.Subscription{Filter: "x", QoS: 2})
		a.pub("x", "m", 1) // one record for both queues
		w.end()
		expect(t, "shared records", w.store.count('m'), 1)
		b.settle(core.Accepted, b.expect(9, "x=m/1")...)
		a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2})
		a.settle(core.Rejected, a.expect(9, "x=m/1")...)
		expect(t, "shared records", w.store.count('m'), 0)
		w.restart(core.Options{})
		c := w.attach(core.Client{})
		c.Consume(w.turn, "$dead/q", core.ConsumeOptions{QoS: 2})
		c.expect(9, "x=m/1")
	})
}
