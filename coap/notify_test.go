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

func TestCoAP_B11_O17_NotificationsKeepTheBlockSizeOfTheRegistration(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for _, size := range []int{64, 32, 1024} { // a new registration replaces it
			szx := message.SZXFor(size)
			c.register("ps/a", "o", optBlock(message.Block2, 0, false, szx))
			for _, kind := range []option{optUint(message.ContentFormat, 42), non} {
				c.another().publish("ps/a", strings.Repeat("0123456789abcdef", 70), optUint(message.ContentFormat, 42), kind)
				m := c.must()
				if b := message.MakeBlock(uintOption(t, m, message.Block2)); b.SZX != szx || b.Num != 0 || !b.More || len(m.Payload) != size {
					t.Fatal(m)
				}
				if m.Type == message.CON {
					c.ack(m)
				}
			}
			c.another().publish("ps/a", "small")
			m := c.must()
			absent(t, m, message.Block2)
			c.ack(m)
		}
	})
}

func TestCoAP_O17_ALaterBlockRegistersNobody(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.another().expect(message.Created, message.PUT, "ps/a", payload(strings.Repeat("x", 100)))
		m := c.expect(message.Content, message.GET, "ps/a", token("o"), observe(0), optBlock(message.Block2, 1, false, 2))
		absent(t, m, message.Observe)
		c.another().put("ps/a", "new")
		if got := c.RecvAll(); len(got) != 0 {
			t.Fatalf("%d notifications without a registration", len(got))
		}
	})
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
		c.register("ps/#", "p")
		p := c.ep.peers[source{addr: c.Addr}]
		p.ids.filled = new([16]core.Time)
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
		if m = c.must(); string(m.Payload) != "4" {
			t.Fatal(m)
		}
		c.silent()
	})
}
