package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// in is a client of a user in a namespace.
func in(namespace, who, id string, expiry time.Duration) core.Client {
	c := of(who, id, expiry)
	c.Principal = &core.Principal{Namespace: namespace, User: who, Method: "password"}
	return c
}

// refusals are what limits refused in a namespace.
func (w *world) refusals(namespace string) string {
	var all []string
	w.router.Refused(func(ns string, l core.Limit, n uint64) {
		if ns == namespace {
			all = append(all, fmt.Sprintf("%s=%d", l, n))
		}
	})
	return strings.Join(all, " ")
}

func quota(q core.Quotas) core.Options {
	return core.Options{Tenants: map[string]core.Tenant{"plant": {Quota: q}}}
}

func TestSecurity_L5_ConnectionsOfANamespaceAreLimited(t *testing.T) {
	simulateWith(t, quota(core.Quotas{Connections: 2}), func(w *world) {
		first := w.attach(in("plant", "u", "1", time.Hour))
		alone := w.attach(in("plant", "u", "", 0)) // one that has no session counts too
		expect(t, "a third", w.refused(in("plant", "v", "3", 0)), core.Quota)
		expect(t, "a third without a session", w.refused(in("plant", "v", "", 0)), core.Quota)
		for i := range 5 {
			w.attach(in("other", "u", fmt.Sprint(i), 0))
		}
		taker := w.connect(in("plant", "u", "1", time.Hour)) // takes over: nobody more
		expect(t, "the older one", first.evicted, core.TakenOver)
		first.Detach(w.turn, core.TakenOver)
		first.Detach(w.turn, core.TakenOver) // counts once
		w.end()
		expect(t, "still full", w.refused(in("plant", "v", "3", 0)), core.Quota)
		alone.Detach(w.turn, core.Normal)
		expect(t, "in its place", w.refused(in("plant", "v", "3", 0)), core.OK)
		expect(t, "what was refused", w.refusals("plant"), "connections=3")
		expect(t, "elsewhere", w.refusals("other"), "")

		w.router.SetTenants(map[string]core.Tenant{"plant": {Quota: core.Quotas{Connections: 1}}})
		if ok, _ := taker.State(); !ok {
			t.Fatal("a lower quota drops nobody")
		}
		expect(t, "under a lower one", w.refused(in("plant", "v", "3", 0)), core.Quota)
		w.router.SetTenants(nil)
		expect(t, "without one", w.refused(in("plant", "v", "3", 0)), core.OK)
	})
}

func TestSecurity_QuotasOfANamespace(t *testing.T) {
	q := core.Quotas{Sessions: 2, Subscriptions: 2, Retained: 2, RetainedBytes: 500, Queues: 1}
	simulateWith(t, quota(q), func(w *world) {
		c, other := w.attach(in("plant", "u", "1", time.Hour)), w.attach(in("other", "u", "1", time.Hour))
		w.attach(in("plant", "u", "2", 0))
		expect(t, "session", w.refused(in("plant", "u", "3", 0)), core.Quota)
		expect(t, "session elsewhere", w.refused(in("other", "u", "3", 0)), core.OK)
		for _, x := range []struct {
			c    *conn
			want core.Reason
		}{{c, core.Quota}, {other, core.OK}} {
			x.c.sub("a", 0)
			x.c.sub("b", 0)
			expect(t, "subscription", x.c.sub("c", 0).Reason, x.want)
			expect(t, "the same again", x.c.sub("a", 1).Reason, core.OK)
			x.c.Unsubscribe(w.turn, []string{"a", "b"}, nil)
			x.c.send("r/1", "x", retained)
			x.c.send("r/2", "x", retained)
			expect(t, "retained", x.c.send("r/3", "x", retained).Err() == nil, x.want == core.OK)
			expect(t, "retained bytes", x.c.send("r/2", strings.Repeat("x", 400), retained).Err() == nil, x.want == core.OK)
			_, _, _, _, reason := x.c.Declare(w.turn, core.QueueSpec{Name: "q1"})
			expect(t, "queue", reason, core.OK)
			_, _, _, _, reason = x.c.Declare(w.turn, core.QueueSpec{Name: "q2"})
			expect(t, "second queue", reason, x.want)
		}
		expect(t, "what was refused", w.refusals("plant"), "sessions_offline=1 subscriptions=1 retained=1 retained_bytes=1 queues=1")
		expect(t, "elsewhere", w.refusals("other"), "")
	})
}

func TestSecurity_L14_QueuesOfANamespaceTogetherAreLimited(t *testing.T) {
	for name, q := range map[string]core.Quotas{"messages": {QueueMessages: 4}, "bytes": {QueueBytes: 420}} {
		t.Run(name, func(t *testing.T) {
			o := quota(q)
			simulateWith(t, o, func(w *world) {
				p := w.attach(in("plant", "u", "p", 0))
				rich, poor := w.attach(in("plant", "u", "rich", time.Hour)), w.attach(in("plant", "u", "poor", time.Hour))
				rich.sub("rich", 1)
				poor.sub("poor", 1)
				rich.Detach(w.turn, core.ConnectionLost)
				poor.Detach(w.turn, core.ConnectionLost)
				_, _, _, _, reason := p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
				expect(t, "declare", reason, core.OK)
				for i := range 3 {
					p.pub("rich", fmt.Sprint(i), 1)
				}
				p.pub("poor", "0", 1)
				w.end()
				expect(t, "a named queue refuses", p.pub("$queue/q", "x", 1), core.QueueFull)
				expect(t, "a session takes", p.pub("poor", "1", 1), core.OK)
				expect(t, "a session takes", p.pub("rich", "3", 1), core.OK)
				w.end()
				if got := w.refusals("plant"); got != "queue_"+name+"=3" {
					t.Errorf("refused: %q", got)
				}
				w.restart(o) // what the store holds counts
				p = w.attach(in("plant", "u", "p", 0))
				expect(t, "a named queue after a restart", p.pub("$queue/q", "x", 1), core.QueueFull)
				rich, poor = w.attach(in("plant", "u", "rich", time.Hour)), w.attach(in("plant", "u", "poor", time.Hour))
				poor.settle(core.Accepted, poor.expect(9, "poor=1/1")...) // its own oldest made room
				got := rich.expect(9, "rich=1/1 rich=2/1 rich=3/1")
				expect(t, "in the place of what was settled", p.pub("$queue/q", "x", 1), core.OK)
				rich.settle(core.Accepted, got...)
				for range 3 {
					expect(t, "room again", p.pub("$queue/q", "x", 1), core.OK)
				}
				expect(t, "and full again", p.pub("$queue/q", "x", 1), core.QueueFull)
			})
		})
	}
}

func TestSecurity_L14_AQuotaCountsWhatIsThereWhenItBegins(t *testing.T) {
	simulate(t, func(w *world) {
		c := w.attach(in("plant", "u", "c", time.Hour))
		p := w.attach(in("plant", "u", "p", 0))
		c.sub("a", 1)
		for i := range 3 {
			p.pub("a", fmt.Sprint(i), 1)
		}
		_, _, _, _, reason := p.Declare(w.turn, core.QueueSpec{Name: "q"})
		expect(t, "declare", reason, core.OK)
		w.end()
		set := func(n int) {
			w.router.SetTenants(map[string]core.Tenant{"plant": {Quota: core.Quotas{QueueMessages: n}}})
		}
		set(3)
		expect(t, "full", p.pub("$queue/q", "x", 0), core.QueueFull)
		set(4)
		expect(t, "one place", p.pub("$queue/q", "x", 0), core.OK)
		expect(t, "no more", p.pub("$queue/q", "x", 0), core.QueueFull)
		w.router.SetTenants(nil)
		expect(t, "no quota", p.pub("$queue/q", "x", 0), core.OK)
		c.settle(core.Accepted, c.expect(9, "a=0/1 a=1/1 a=2/1")...)
		set(3)
		expect(t, "again, with what changed meanwhile", p.pub("$queue/q", "x", 0), core.OK)
		expect(t, "no more", p.pub("$queue/q", "x", 0), core.QueueFull)
	})
}

// strict is an authorizer with limits by user.
type strict struct {
	law
	limits map[string]core.PrincipalLimits
}

func (s *strict) Limits(p *core.Principal) core.PrincipalLimits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits[p.User]
}

func (s *strict) Metered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.limits {
		if l.PublishRate > 0 || l.PublishBytesRate > 0 {
			return true
		}
	}
	return false
}

func (s *strict) set(who string, l core.PrincipalLimits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[who] = l
}

func TestSecurity_LimitsOfAPrincipal(t *testing.T) {
	s := &strict{limits: map[string]core.PrincipalLimits{"u": {Connections: 2, Sessions: 1, Subscriptions: 1, Retained: 1}}}
	simulateWith(t, core.Options{Authorizer: s}, func(w *world) {
		c := w.attach(of("u", "1", time.Hour))
		expect(t, "L17", w.refused(of("u", "2", time.Hour)), core.Quota)
		second := w.attach(of("u", "2", 0))
		expect(t, "L5", w.refused(of("u", "3", 0)), core.Quota)
		v := w.attach(of("v", "1", time.Hour))
		for _, x := range []struct {
			c    *conn
			fail bool
		}{{c, true}, {v, false}} {
			x.c.sub("a", 0)
			for _, filter := range []string{"b", "$share/g/b", "$queue/n"} {
				expect(t, "L11 "+filter, x.c.sub(filter, 0).Reason == core.Quota, x.fail)
			}
			_, reason := x.c.Open(w.turn, core.QueueSpec{}, core.ConsumeOptions{}, core.Subscription{Filter: "o"})
			expect(t, "private", reason, core.OK)
			_, reason = x.c.Open(w.turn, core.QueueSpec{}, core.ConsumeOptions{}, core.Subscription{Filter: "o"})
			expect(t, "L11 private", reason == core.Quota, x.fail)
			x.c.send("r/"+x.c.Principal().User, "x", retained)
			expect(t, "L19", x.c.send("r/2/"+x.c.Principal().User, "x", retained) == core.Quota, x.fail)
			expect(t, "its own again", x.c.send("r/"+x.c.Principal().User, "y", retained).Err(), nil)
			expect(t, "none", x.c.send("r/3", "", retained).Err(), nil)
		}
		expect(t, "refused", w.refusals("default"), "connections=1 sessions_offline=1 subscriptions=4 retained=1")

		s.set("u", core.PrincipalLimits{Connections: 3})
		w.router.Recheck()
		expect(t, "after a change", w.refused(of("u", "3", time.Hour)), core.OK)
		expect(t, "after a change", c.sub("b", 0).Reason, core.OK)
		second.Detach(w.turn, core.Normal)
	})
}

// publishes sends until the turn says stop, and tells how many went and when
// the next may come.
func (c *conn) publishes(most int) (n int, wait time.Duration) {
	c.w.t.Helper()
	turn := c.w.turn
	turn.Allow(core.Unbounded)
	for n < most && !turn.Pressed() {
		expect(c.w.t, "publish", c.pub("x", "12345", 0).Err(), nil)
		n++
	}
	until := turn.Published(n, n*10)
	turn.Allow(core.Unbounded)
	if until == 0 {
		return n, 0
	}
	return n, until.Until(turn.Now)
}

func TestSecurity_L22_RatesOfARoleAndOfANamespace(t *testing.T) {
	s := &strict{limits: map[string]core.PrincipalLimits{"slow": {PublishRate: 10}}}
	o := quota(core.Quotas{PublishRate: 100})
	o.Authorizer = s
	simulateWith(t, o, func(w *world) {
		free, slow := w.attach(in("other", "u", "1", 0)), w.attach(in("other", "slow", "2", 0))
		a, b := w.attach(in("plant", "u", "1", 0)), w.attach(in("plant", "slow", "2", 0))
		n, wait := free.publishes(1000)
		expect(t, "free", n, 1000)
		expect(t, "free waits", wait, 0)
		n, wait = slow.publishes(1000)
		expect(t, "a second's worth of its role", n, 10)
		if wait <= 0 || wait > time.Second {
			t.Errorf("it waits %v", wait)
		}
		n, _ = a.publishes(95)
		expect(t, "of the namespace", n, 95)
		n, wait = b.publishes(1000)
		expect(t, "what the others leave of the namespace", n, 5)
		if wait <= 0 {
			t.Error("nobody waits for the namespace")
		}
		total := 0
		for range 100 { // two connections share the rate
			w.sleep(100 * time.Millisecond)
			n, _ := a.publishes(1000)
			total += n
		}
		if total < 900 || total > 1101 {
			t.Errorf("%d messages in ten seconds at 100/s", total)
		}
		if got := w.refusals("plant"); !strings.Contains(got, "publish_rate=") {
			t.Errorf("refused: %q", got)
		}
		w.sleep(time.Minute)
		s.set("slow", core.PrincipalLimits{})
		w.router.Recheck()
		n, _ = slow.publishes(1000)
		expect(t, "after a change of the role", n, 1000)
		w.router.SetTenants(nil)
		n, _ = a.publishes(1000)
		expect(t, "without a quota", n, 1000)
	})
}

func TestSecurity_L22_WhoCannotBePausedIsRefused(t *testing.T) {
	simulateWith(t, quota(core.Quotas{PublishRate: 2, PublishBytesRate: 100}), func(w *world) {
		c := w.attach(in("plant", "u", "1", 0))
		hurries := func(bytes int) bool { return c.Hurries(w.turn, bytes) }
		expect(t, "first", hurries(1), false)
		expect(t, "second", hurries(1), false)
		expect(t, "third", hurries(1), true)
		w.sleep(10 * time.Second)
		expect(t, "later, large", hurries(200), false)
		expect(t, "by bytes", hurries(1), true)
		w.sleep(10 * time.Second)
		expect(t, "later", hurries(1), false)
		expect(t, "refused", w.refusals("plant"), "publish_rate=2")
		free := w.attach(in("other", "u", "1", 0))
		for range 1000 {
			expect(t, "elsewhere", free.Hurries(w.turn, 1000), false)
		}
	})
}

func shares(export, filter, as string) map[string]core.Tenant {
	return map[string]core.Tenant{
		"hq":    {Export: []string{export}},
		"plant": {Import: []core.Import{{From: "hq", Filter: filter, As: as}}},
	}
}

func TestSecurity_E9_OnlyExportAndImportTogetherCross(t *testing.T) {
	for name, x := range map[string]struct {
		tenants map[string]core.Tenant
		want    string
	}{
		"nothing":        {nil, ""},
		"export alone":   {map[string]core.Tenant{"hq": {Export: []string{"#"}}}, ""},
		"import alone":   {map[string]core.Tenant{"plant": {Import: []core.Import{{From: "hq", Filter: "#"}}}}, ""},
		"both":           {shares("cmd/#", "#", ""), "cmd/a=1 cmd/b=2"},
		"the smaller":    {shares("#", "cmd/a", ""), "cmd/a=1"},
		"that meet":      {shares("cmd/+", "+/b", ""), "cmd/b=2"},
		"that do not":    {shares("cmd/a", "cmd/b", ""), ""},
		"with a prefix":  {shares("cmd/#", "#", "from/hq"), "from/hq/cmd/a=1 from/hq/cmd/b=2"},
		"to another one": {map[string]core.Tenant{"hq": {Export: []string{"#"}}, "third": {Import: []core.Import{{From: "hq", Filter: "#"}}}}, ""},
		"twice the same": {map[string]core.Tenant{"hq": {Export: []string{"#", "cmd/#"}}, "plant": {Import: []core.Import{{From: "hq", Filter: "cmd/#"}, {From: "hq", Filter: "cmd/+"}}}}, "cmd/a=1 cmd/b=2"},
	} {
		t.Run(name, func(t *testing.T) {
			simulateWith(t, core.Options{Tenants: x.tenants}, func(w *world) {
				p, back := w.attach(in("hq", "boss", "1", 0)), w.attach(in("hq", "u", "2", 0))
				c := w.attach(in("plant", "u", "1", 0))
				c.sub("#", 0)
				back.sub("#", 0)
				p.pub("cmd/a", "1", 0)
				p.pub("cmd/b", "2", 0)
				p.pub("secret", "3", 0)
				c.expect(9, x.want)
				back.expect(9, "cmd/a=1 cmd/b=2 secret=3")
				c.pub("cmd/a", "back", 0)
				back.expect(9, "")
			})
		})
	}
}

func TestSecurity_E9_ACopyIsAcknowledgedWithTheOriginalAndKept(t *testing.T) {
	o := core.Options{Tenants: shares("#", "#", "hq")}
	simulateWith(t, o, func(w *world) {
		c := w.attach(in("plant", "u", "1", time.Hour))
		c.sub("hq/#", 1)
		c.Detach(w.turn, core.ConnectionLost)
		w.end()
		p := w.attach(in("hq", "boss", "1", 0))
		mt, reason := p.Route(w.turn, []byte("a"))
		expect(t, "route", reason, core.OK)
		expect(t, "somebody waits for it", mt.Any(), true)
		m := core.NewMessage([]byte("1"))
		m.Topic, m.QoS, m.Origin = mt.Topic(), 1, "mqtt"
		m.Meta = &core.Meta{ContentType: "x", Via: []string{"n1"}, Native: &core.Native{Protocol: "amqp", Data: []byte("a")}}
		seq, pending, reason := p.Publish(w.turn, mt, m)
		expect(t, "publish", reason, core.OK)
		expect(t, "it waits for the store", pending && p.Safe() < seq, true)
		w.end()
		expect(t, "safe", p.Safe() >= seq, true)
		w.crash(o)
		c = w.attach(in("plant", "u", "1", time.Hour))
		got := c.expect(9, "hq/a=1/1")[0].Message
		if got.Origin != "mqtt" || got.Meta == nil || got.Meta.ContentType != "x" || !slices.Equal(got.Meta.Via, []string{"n1"}) || got.Meta.Native != nil {
			t.Errorf("the copy is %+v, %+v", got, got.Meta)
		}
	})
}

func TestSecurity_E9_RetainedMessagesAndWillsCross(t *testing.T) {
	simulateWith(t, core.Options{Tenants: shares("#", "#", "hq")}, func(w *world) {
		p := w.attach(in("hq", "boss", "1", 0))
		expect(t, "retained, nobody there", p.send("a", "1", retained), core.NoReceiver)
		c := w.attach(in("plant", "u", "1", 0))
		c.sub("#", 1)
		c.settle(core.Accepted, c.expect(9, "hq/a=1/1r")...)
		p.send("a", "2", retained)
		c.settle(core.Accepted, c.expect(9, "hq/a=2/1")...)
		p.send("a", "", retained)
		c.expect(9, "hq/a=/1")
		late := w.attach(in("plant", "u", "2", 0))
		late.sub("#", 1)
		late.expect(9, "")
		dying := in("hq", "boss", "3", 0)
		dying.Will = &core.Will{Message: core.NewMessage([]byte("gone"))}
		dying.Will.Message.Topic = "will"
		w.attach(dying).Detach(w.turn, core.ConnectionLost)
		late.expect(9, "hq/will=gone")
		w.router.PublishSystem(w.turn, "hq", systemMessage())
		late.expect(9, "")
	})
}

func systemMessage() *core.Message {
	m := core.NewMessage([]byte("x"))
	m.Topic = "$SYS/x"
	return m
}

func TestSecurity_E9_EachSideHasItsOwnRights(t *testing.T) {
	l := &law{denied: map[string]bool{"boss pub no": true, "u read hq/hidden": true}}
	simulateWith(t, core.Options{Authorizer: unFree{l}, Tenants: shares("#", "#", "hq")}, func(w *world) {
		p, c := w.attach(in("hq", "boss", "1", 0)), w.attach(in("plant", "u", "1", 0))
		c.sub("#", 0)
		expect(t, "the publisher's", p.pub("no", "1", 0), core.NotAuthorized)
		p.pub("hidden", "2", 0)
		p.pub("seen", "3", 0)
		c.expect(9, "hq/seen=3")
	})
}

func TestSecurity_E9_ANamespaceThatIsFullRefusesNobodyElse(t *testing.T) {
	tenants := shares("#", "#", "")
	tenants["plant"] = core.Tenant{Import: tenants["plant"].Import, Quota: core.Quotas{Retained: 1}}
	simulateWith(t, core.Options{Tenants: tenants}, func(w *world) {
		p, c := w.attach(in("hq", "boss", "1", 0)), w.attach(in("plant", "u", "1", 0))
		_, _, _, _, reason := c.Declare(w.turn, core.QueueSpec{Name: "q", Limits: core.QueueLimits{Messages: 1}})
		expect(t, "declare", reason, core.OK)
		_, _, reason = c.Bind(w.turn, "q", core.Subscription{Filter: "a", QoS: 2})
		expect(t, "bind", reason, core.OK)
		expect(t, "first", p.pub("a", "1", 1), core.OK)
		expect(t, "the queue there is full", p.pub("a", "2", 1), core.NoReceiver)
		expect(t, "retained", p.send("r/1", "x", retained), core.NoReceiver)
		expect(t, "retained, too many there", p.send("r/2", "x", retained), core.NoReceiver)
		expect(t, "refused there", w.refusals("plant"), "retained=1") // the queue's limit is its own
		expect(t, "refused here", w.refusals("hq"), "")
		var imported string
		w.router.Imported(func(from, to string, n uint64) { imported += fmt.Sprint(from, " ", to, " ", n) })
		expect(t, "imported", imported, "hq plant 2")
	})
}

func TestSecurity_E9_ACopyGoesNoFurtherAndChangesHoldAtOnce(t *testing.T) {
	tenants := shares("a/#", "a/#", "")
	tenants["plant"] = core.Tenant{Import: tenants["plant"].Import, Export: []string{"a/#"}}
	tenants["third"] = core.Tenant{Import: []core.Import{{From: "plant", Filter: "#"}}}
	simulateWith(t, core.Options{Tenants: tenants}, func(w *world) {
		p, c, third := w.attach(in("hq", "boss", "1", 0)), w.attach(in("plant", "u", "1", 0)), w.attach(in("third", "u", "1", 0))
		for _, x := range []*conn{c, third} {
			x.sub("#", 0)
		}
		p.pub("a/b", "1", 0)
		c.expect(9, "a/b=1")
		third.expect(9, "")
		c.pub("a/b", "2", 0)
		c.expect(9, "a/b=2")
		third.expect(9, "a/b=2")
		w.router.SetTenants(nil) // the publisher has the way in its last route
		p.pub("a/b", "3", 0)
		c.expect(9, "")
		w.router.SetTenants(tenants)
		p.pub("a/b", "4", 0)
		c.expect(9, "a/b=4")
		c.Unsubscribe(w.turn, []string{"#"}, nil) // a change there voids the route here
		p.pub("a/b", "5", 0)
		c.sub("a/b", 0)
		p.pub("a/b", "6", 0)
		c.expect(9, "a/b=6")
	})
}

func TestSecurity_E9_CheckTenants(t *testing.T) {
	imports := func(from, filter, as string) []core.Import {
		return []core.Import{{From: from, Filter: filter, As: as}}
	}
	for name, x := range map[string]struct {
		tenants map[string]core.Tenant
		want    string
	}{
		"plain":       {shares("cmd/#", "cmd/#", "hq"), ""},
		"unknown":     {map[string]core.Tenant{"a": {Import: imports("nobody", "#", "")}}, ""},
		"both ways":   {map[string]core.Tenant{"a": {Export: []string{"pub/#"}, Import: imports("b", "cmd/#", "")}, "b": {Export: []string{"cmd/#"}, Import: imports("a", "pub/#", "")}}, ""},
		"back":        {map[string]core.Tenant{"a": {Export: []string{"#"}, Import: imports("b", "#", "")}, "b": {Export: []string{"#"}, Import: imports("a", "#", "")}}, "b.import[0]: topics would go round: b -> a -> b"},
		"back, moved": {map[string]core.Tenant{"a": {Export: []string{"x/#"}, Import: imports("b", "a/#", "")}, "b": {Export: []string{"#"}, Import: imports("a", "#", "a")}}, ""},
		"back by prefixes": {map[string]core.Tenant{"a": {Export: []string{"#"}, Import: imports("b", "a/#", "b")}, "b": {Export: []string{"a/b/#", "a/x"}, Import: imports("a", "#", "a")}},
			"b.import[0]: topics would go round: b -> a -> b"},
		"of three": {map[string]core.Tenant{"a": {Export: []string{"t"}, Import: imports("c", "t", "")}, "b": {Export: []string{"t"}, Import: imports("a", "t", "")}, "c": {Export: []string{"t"}, Import: imports("b", "t", "")}},
			"c.import[0]: topics would go round: c -> a -> b -> c"},
		"chain":        {map[string]core.Tenant{"a": {Export: []string{"t"}}, "b": {Export: []string{"t"}, Import: imports("a", "t", "")}, "c": {Import: imports("b", "t", "")}}, ""},
		"itself":       {map[string]core.Tenant{"a": {Import: imports("a", "t", "")}}, "a.import[0]: a namespace does not import from itself"},
		"nobody":       {map[string]core.Tenant{"a": {Import: imports("", "t", "")}}, "a.import[0]: from is missing"},
		"no filter":    {map[string]core.Tenant{"a": {Export: []string{"t", "a#"}}}, `a.export[1]: "a#" is no topic filter`},
		"empty":        {map[string]core.Tenant{"a": {Import: imports("b", "", "")}}, `a.import[0]: "" is no topic filter`},
		"system":       {map[string]core.Tenant{"a": {Export: []string{"$SYS/#"}}}, `a.export[0]: "$SYS/#": what begins with $ stays in its namespace`},
		"into system":  {map[string]core.Tenant{"a": {Import: imports("b", "t", "$SYS")}}, `a.import[0]: as: "$SYS" cannot be the beginning of a topic`},
		"as wildcard":  {map[string]core.Tenant{"a": {Import: imports("b", "t", "+")}}, `a.import[0]: as: "+" cannot be the beginning of a topic`},
		"itself, anon": {map[string]core.Tenant{"default": {Import: imports("default", "t", "x")}}, "default.import[0]: a namespace does not import from itself"},
	} {
		got := ""
		if err := core.CheckTenants(x.tenants); err != nil {
			got = err.Error()
		}
		if got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
}

func TestSecurity_L11_TheTextOfFiltersIsBounded(t *testing.T) {
	o := core.Options{Limits: core.Limits{SubscriptionBytes: 30}}
	simulateWith(t, o, func(w *world) {
		c := w.attach(durable("c"))
		expect(t, "first", c.sub("a/b/c/d/e/", 1).Reason, core.OK)      // 10
		expect(t, "group", c.sub("$share/g/a", 1).Reason, core.OK)      // 10
		expect(t, "beyond", c.sub("a/b/c/d/e/f", 1).Reason, core.Quota) // 11
		expect(t, "the same again", c.sub("a/b/c/d/e/", 0).Reason, core.OK)
		w.restart(o)
		c = w.attach(durable("c"))
		expect(t, "after a restart", c.sub("$queue/name", 1).Reason, core.Quota)
		expect(t, "queue", c.sub("$queue/nam", 1).Reason, core.OK) // 10
		c.Unsubscribe(w.turn, []string{"$share/g/a", "$share/g/none"}, nil)
		expect(t, "in the place of the group", c.sub("0123456789", 1).Reason, core.OK)
		if _, reason := c.Delete(w.turn, "nam", false, false); reason != core.OK {
			t.Fatal(reason)
		}
		w.end()
		expect(t, "in the place of the queue", c.sub("9876543210", 1).Reason, core.OK)
		expect(t, "no more", c.sub("x", 1).Reason, core.Quota)
	})
}
