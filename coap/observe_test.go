package coap

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// publish sends one publication from a client of its own, by CON or NON.
func (c *client) publish(path, body string, options ...option) {
	c.t.Helper()
	p := c.another()
	p.send(p.build(message.POST, path, append(options, payload(body))...))
	if m := p.must(); m.Code.Class() != 2 {
		c.t.Fatalf("publish %s: %v", path, m)
	}
}

func TestCoAP_O1_RegistrationIsAnsweredWithObserve(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		m := c.register("ps/a", "o")
		uintOption(t, m, message.Observe)
		if string(m.Payload) != "v" {
			t.Fatal(m)
		}
		if counter(d, "coap_observers") != 1 {
			t.Error("not counted")
		}
	})
}

func TestCoAP_O2_ObserveOneRemovesAndIsAPlainGET(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		c.register("ps/a", "o")
		m := c.expect(message.Content, message.GET, "ps/a", token("o"), observe(1))
		absent(t, m, message.Observe)
		if string(m.Payload) != "v" {
			t.Fatal(m)
		}
		c.publish("ps/a", "w")
		c.silent()
	})
}

func TestCoAP_O2_CancelWithoutAValueIsAnsweredAsTheRegistrationWas(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for _, path := range []string{"ps/a", "ps/+/b", "ps/$queue/q"} {
			c.register(path, "o")
			if m := c.expect(message.Content, message.GET, path, token("o"), observe(1)); len(m.Payload) != 0 {
				t.Error(m)
			}
			if counter(d, "coap_observers") != 0 {
				t.Errorf("%s is still observed", path)
			}
		}
		c.expect(message.NotFound, message.GET, "ps/a", token("o"), observe(1))
		c.expect(message.BadRequest, message.GET, "ps/+", token("o"), observe(1))
	})
}

func TestCoAP_O2_O3_EmqxCompatibility(t *testing.T) {
	t.Parallel()
	script(t, Config{EmqxCompat: true}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.expect(2<<5|7, message.GET, "ps/a", token("o"), observe(1))
		c.expect(message.BadRequest, message.GET, "ps/a", observe(2))
		c.register("ps/%2B/x", "p") // R5: decoded once more
		c.publish("ps/q/x", "w")
		if m := c.must(); m.Token.String() != "70" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O3_AnyOtherObserveValueIsIgnored(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		for _, v := range []uint32{2, 255, 1<<24 - 1} {
			absent(t, c.expect(message.Content, message.GET, "ps/a", observe(v)), message.Observe)
		}
	})
}

func TestCoAP_O4_EmptyTokenCannotObserve(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		if m := c.expect(message.BadRequest, message.GET, "ps/a", token(""), observe(0)); string(m.Payload) != "token required" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O5_SeveralTokensOnOnePath(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "1")
		c.register("ps/a", "2")
		o := c.another()
		o.register("ps/a", "1")
		c.publish("ps/a", "x", non)
		if n := len(c.RecvAll()); n != 2 {
			t.Errorf("%d notifications", n)
		}
		if n := len(o.RecvAll()); n != 1 {
			t.Errorf("%d notifications to the other endpoint", n)
		}
	})
}

func TestCoAP_O6_SameTokenReplacesTheRegistration(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.register("ps/a", "o") // same path: refreshed
		c.publish("ps/a", "1", non)
		if n := len(c.RecvAll()); n != 1 {
			t.Fatalf("%d notifications", n)
		}
		c.register("ps/b", "o") // another path
		c.publish("ps/a", "2", non)
		c.silent()
		c.publish("ps/b", "3", non)
		if m := c.must(); string(m.Payload) != "3" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O7_PlainGETLeavesTheObservationAlone(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.expect(message.NotFound, message.GET, "ps/a", token("x"))
		c.publish("ps/a", "1", non)
		c.must()
	})
}

func TestCoAP_O8_ResetRemovesTheObservation(t *testing.T) {
	t.Parallel()
	for _, confirm := range []bool{true, false} {
		script(t, Config{}, func(d *adaptertest.Driver, c *client) {
			c.register("ps/a", "o")
			var opts []option
			if !confirm {
				opts = append(opts, non)
			}
			c.publish("ps/a", "1", opts...)
			first := c.must()
			if !confirm { // an older one counts as well
				for range 3 {
					c.publish("ps/a", "2", non)
				}
				c.RecvAll()
			}
			c.reset(first)
			c.publish("ps/a", "3", opts...)
			c.silent()
			if counter(d, "coap_observers") != 0 || counter(d, "coap_observers_removed_total", "rst") != 1 {
				t.Error("still counted")
			}
		})
	}
}

func TestCoAP_O9_TimeoutRemovesAllObservationsOfTheEndpoint(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "1")
		c.register("ps/b", "2")
		c.publish("ps/a", "x")
		d.Advance(94 * time.Second)
		if n := len(c.RecvAll()); n != 5 {
			t.Errorf("%d transmissions", n)
		}
		c.publish("ps/b", "y", non)
		c.silent()
		if counter(d, "coap_observers") != 0 || counter(d, "coap_observers_removed_total", "timeout") != 2 {
			t.Error("still counted")
		}
	})
}

func TestCoAP_O10_ShutdownIsTheLastNotification(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		d.Shutdown()
		m := c.must()
		if m.Code != message.ServiceUnavailable || m.Token.String() != "6f" {
			t.Fatal(m)
		}
		absent(t, m, message.Observe)
	})
}

func TestCoAP_O10_KickedObserverIsToldForbidden(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.ep.peers[c.Addr].handle.Evict(core.Kicked)
		d.Settle()
		if m := c.must(); m.Code != message.Forbidden {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O11_SequenceIsTimeAndNeverGoesBack(t *testing.T) {
	t.Parallel()
	var o observation
	now := core.Time(1_000_000_000)
	last := o.next(now)
	if last != uint32(int64(now)*1000/32)&seqMask {
		t.Fatalf("starts at %d", last)
	}
	for i := range 200_000 {
		if i%1000 == 0 {
			now += 3000
		}
		n := o.next(now)
		if !newer(n, last) {
			t.Fatalf("%d after %d", n, last)
		}
		last = n
	}
	o.seq = seqMask
	now = 0
	if n := o.next(now); n != 0 {
		t.Fatalf("%d after the largest", n)
	}
	for _, k := range []struct {
		a, b uint32
		want bool
	}{{1, 0, true}, {0, 1, false}, {0, 0, false}, {0, seqMask, true}, {1 << 23, 0, false}, {1<<23 - 1, 0, true}} {
		if newer(k.a, k.b) != k.want {
			t.Errorf("newer(%d, %d)", k.a, k.b)
		}
	}
}

func TestCoAP_O11_RegistrationUsesTheSameCounter(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		last := uintOption(t, c.register("ps/a", "o"), message.Observe)
		for i := range 20 {
			c.publish("ps/a", fmt.Sprint(i), non)
			n := uintOption(t, c.must(), message.Observe)
			if !newer(n, last) {
				t.Fatalf("%d after %d", n, last)
			}
			last = n
		}
	})
}

func TestCoAP_O12_NothingOvertakesTheRegistrationsResponse(t *testing.T) {
	t.Parallel()
	auth := new(gate)
	scriptWith(t, Config{}, adaptertest.Options{Auth: auth}, func(d *adaptertest.Driver, c *client) {
		auth.open = make(chan struct{})
		c.send(c.build(message.GET, "ps/a", token("o"), observe(0)))
		m, _ := c.until(100*time.Millisecond, 2*time.Second)
		if m == nil || m.Code != message.Empty {
			t.Fatal(m)
		}
		close(auth.open)
		d.Settle()
		answer := c.must()
		if answer.Type != message.CON || answer.Code != message.Content {
			t.Fatal(answer)
		}
		c.publish("ps/a", "1", non)
		c.silent()
		c.ack(answer)
		if n := c.must(); string(n.Payload) != "1" || !newer(uintOption(t, n, message.Observe), uintOption(t, answer, message.Observe)) {
			t.Fatal(n)
		}
	})
}

func TestCoAP_O13_TypeFollowsTheQoS(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		notify     string
		con0, con1 message.Type
	}{{"qos", message.NON, message.CON}, {"non", message.NON, message.NON}, {"con", message.CON, message.CON}} {
		script(t, Config{Notify: k.notify}, func(d *adaptertest.Driver, c *client) {
			c.register("ps/a", "o")
			c.publish("ps/a", "0", non)
			m := c.must()
			if m.Type != k.con0 {
				t.Errorf("%s, QoS 0: %v", k.notify, m)
			}
			c.ack(m)
			c.publish("ps/a", "1")
			m = c.must()
			if m.Type != k.con1 {
				t.Errorf("%s, QoS 1: %v", k.notify, m)
			}
			c.ack(m)
			c.register("ps/b?qos=0", "b")
			c.publish("ps/b", "1")
			if m = c.must(); m.Type != k.con0 {
				t.Errorf("%s, QoS 1 to 0: %v", k.notify, m)
			}
		})
	}
}

func TestCoAP_O13_EveryObserverGetsACONInTime(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		c.register("ps/a", "o")
		for round := range 3 {
			m, after := c.until(time.Second, 6*time.Minute)
			if m == nil || m.Type != message.CON || string(m.Payload) != "v" || after < 299*time.Second || after > 302*time.Second {
				t.Fatalf("round %d after %v: %v", round, after, m)
			}
			uintOption(t, m, message.Observe)
			c.ack(m)
		}
		c.expect(message.Content, message.GET, "ps/a", token("o"), observe(1))
		if m, _ := c.until(time.Second, 10*time.Minute); m != nil {
			t.Fatalf("after the end: %v", m)
		}
	})
}

func TestCoAP_O13_DueNotificationBecomesACON(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		d.Advance(299 * time.Second)
		c.publish("ps/a", "1", non)
		if m := c.must(); m.Type != message.NON {
			t.Fatal(m)
		}
		m, _ := c.until(100*time.Millisecond, 3*time.Second)
		if m == nil || m.Type != message.CON {
			t.Fatalf("the check: %v", m)
		}
	})
}

func TestCoAP_O14_QoS1IsAFifoThatDropsTheOldest(t *testing.T) {
	t.Parallel()
	script(t, Config{ObserveQueue: 5}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		for i := range 10 {
			c.publish("ps/a", fmt.Sprint(i))
		}
		var got []string
		for m := c.next(); m != nil; m = c.next() {
			got = append(got, string(m.Payload))
			c.silent() // one at a time
			c.ack(m)
		}
		if s := strings.Join(got, ""); len(got) > 6 || !strings.HasSuffix(s, "6789") || s[0] != '0' {
			t.Fatalf("%v", got)
		}
	})
}

func TestCoAP_O14_OfQoS0OnlyTheLatestWaits(t *testing.T) {
	t.Parallel()
	script(t, Config{Notify: "con"}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		for i := range 10 {
			c.publish("ps/a", fmt.Sprint(i), non)
		}
		m := c.must()
		c.silent()
		c.ack(m)
		last := c.must()
		c.ack(last)
		c.silent()
		if string(m.Payload) != "0" || string(last.Payload) != "9" {
			t.Fatalf("%v then %v", m, last)
		}
	})
}

func TestCoAP_O14_ObservationsTakeTurns(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "1")
		c.register("ps/b", "2")
		for range 3 {
			c.publish("ps/a", "a")
			c.publish("ps/b", "b")
		}
		var got string
		for m := c.next(); m != nil; m = c.next() {
			got += string(m.Payload)
			c.ack(m)
		}
		if len(got) != 6 || strings.Contains(got, "aaa") || strings.Contains(got, "bbb") {
			t.Fatal(got)
		}
	})
}

func TestCoAP_O15_RetransmissionCarriesTheNewState(t *testing.T) {
	t.Parallel()
	script(t, Config{Notify: "con"}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.publish("ps/a", "old", non)
		first := c.must()
		c.publish("ps/a", "new", non)
		c.silent()
		second, _ := c.until(100*time.Millisecond, 4*time.Second)
		if second == nil || string(second.Payload) != "new" || second.ID == first.ID ||
			!newer(uintOption(t, second, message.Observe), uintOption(t, first, message.Observe)) {
			t.Fatal(second)
		}
		_, after := c.until(100*time.Millisecond, 10*time.Second)
		if after < 3900*time.Millisecond {
			t.Fatalf("the counter was not inherited: %v", after)
		}
		c.ack(second)
		if m, _ := c.until(time.Second, time.Minute); m != nil {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O15_QoS1IsNeverReplaced(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.publish("ps/a", "1")
		c.must()
		c.publish("ps/a", "2")
		c.publish("ps/a", "3", non)
		m, _ := c.until(100*time.Millisecond, 4*time.Second)
		if m == nil || string(m.Payload) != "1" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O16_AnotherFormatEndsAnObservationWithAccept(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o", optUint(message.Accept, 50))
		c.register("ps/a", "any")
		c.publish("ps/a", "{}", optUint(message.ContentFormat, 50), non)
		if n := len(c.RecvAll()); n != 2 {
			t.Fatalf("%d notifications", n)
		}
		c.publish("ps/a", "x", optUint(message.ContentFormat, 0), non)
		var final, other *message.Message
		for m := c.next(); m != nil; m = c.next() {
			if m.Token.String() == "6f" {
				final = m
			} else {
				other = m
			}
		}
		if final == nil || final.Code != message.NotAcceptable || other == nil || other.Code != message.Content {
			t.Fatalf("%v %v", final, other)
		}
		absent(t, final, message.Observe)
		c.ack(final)
		c.publish("ps/a", "{}", optUint(message.ContentFormat, 50), non)
		if n := len(c.RecvAll()); n != 1 {
			t.Fatalf("%d notifications after the end", n)
		}
	})
}

func TestCoAP_O17_LargeNotificationIsFetchedByGET(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		body := strings.Repeat("0123456789abcdef", 200)
		for i, v := range []string{"x", "y"} {
			c.another().put("ps/a", v+body)
			m := c.must()
			uintOption(t, m, message.Observe)
			if b := message.MakeBlock(uintOption(t, m, message.Block2)); b.Num != 0 || !b.More {
				t.Fatal(m)
			}
			c.ack(m)
			got := string(m.Payload)
			for num := uint32(1); ; num++ {
				n := c.expect(message.Content, message.GET, "ps/a", token(fmt.Sprint(num)), optBlock(message.Block2, num, false, 6))
				absent(t, n, message.Observe)
				got += string(n.Payload)
				if !message.MakeBlock(uintOption(t, n, message.Block2)).More {
					break
				}
			}
			if got != v+body {
				t.Fatalf("value %d: %d octets", i, len(got))
			}
		}
	})
}

func TestCoAP_O18_BeyondTheLimitsThereIsAValueAndNoObserve(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"endpoint": {ObservesPerEndpoint: 2}, "source": {ObservesPerSource: 2}, "all": {MaxObserves: 2},
	} {
		script(t, cfg, func(d *adaptertest.Driver, c *client) {
			c.expect(message.Created, message.PUT, "ps/a", payload("v"))
			c.register("ps/a", "1")
			c.register("ps/a", "2")
			m := c.register("ps/a", "3")
			absent(t, m, message.Observe)
			if string(m.Payload) != "v" {
				t.Errorf("%s: %v", name, m)
			}
			c.reset(c.observed("ps/a", 2)[0])
			uintOption(t, c.register("ps/a", "3"), message.Observe)
		})
	}
}

// observed publishes once and returns the n notifications.
func (c *client) observed(path string, n int) (ms []*message.Message) {
	c.t.Helper()
	c.publish(path, "seen", non)
	for m := c.next(); m != nil; m = c.next() {
		ms = append(ms, m)
	}
	if len(ms) != n {
		c.t.Fatalf("%d notifications, want %d", len(ms), n)
	}
	return ms
}

func TestCoAP_R13_RetainedValuesOfAWildcardFollowInOrder(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for i := range 200 {
			c.another().expect(message.Created, message.PUT, fmt.Sprintf("ps/r/%03d/v?qos=0", i), payload(fmt.Sprintf("%03d", i)))
		}
		first := c.register("ps/r/+/v", "o")
		got := []string{string(first.Payload)}
		for m := c.next(); m != nil; m = c.next() {
			got = append(got, string(m.Payload))
		}
		for i := range 200 {
			if i >= len(got) || got[i] != fmt.Sprintf("%03d", i) {
				t.Fatalf("%d values, at %d: %v", len(got), i, got)
			}
		}
		if len(got) != 200 {
			t.Fatalf("%d values", len(got))
		}
		if m := c.register("ps/r/+/v?rh=2", "p"); len(m.Payload) != 0 {
			t.Error(m)
		}
		c.silent()
	})
}

func TestCoAP_R13_RetainedQoS1ValuesAreCONsOneByOne(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for i := range 5 {
			c.another().expect(message.Created, message.PUT, fmt.Sprintf("ps/r/%d", i), payload(fmt.Sprint(i)))
		}
		got := string(c.register("ps/r/#", "o").Payload)
		for m := c.next(); m != nil; m = c.next() {
			c.silent()
			got += string(m.Payload)
			c.ack(m)
		}
		if got != "01234" {
			t.Fatal(got)
		}
		c.publish("ps/r/2", "live")
		if m := c.must(); string(m.Payload) != "live" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_M9_WithoutAFreeIDNotificationsWaitAndCoalesce(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		p := c.ep.peers[c.Addr]
		p.ids.filled = make([]core.Time, 16)
		for i := range p.ids.filled {
			p.ids.filled[i] = d.Now()
		}
		for i := range 5 {
			c.publish("ps/a", fmt.Sprint(i), non)
		}
		c.silent()
		m, after := c.until(time.Second, 5*time.Minute)
		if m == nil || string(m.Payload) != "4" || after < 246*time.Second {
			t.Fatalf("after %v: %v", after, m)
		}
		c.silent()
	})
}
