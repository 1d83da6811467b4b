package core_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// reasoning is a law that can say which line of it refuses.
type reasoning struct {
	*law
	searches *int
}

func (l reasoning) Refuses(p *core.Principal, a core.Action, name string) string {
	*l.searches++
	return p.User + " " + verbOf[a] + " " + name
}

// The E-rows: one line per denial, with action, user, client, topic and the
// rule that decided.
func TestSecurity_E_EachDenialIsALineOfTheLog(t *testing.T) {
	l := reasoning{&law{}, new(int)}
	var lines bytes.Buffer
	log := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	simulateWith(t, core.Options{Authorizer: l, Log: log}, func(w *world) {
		l.set(w, "a pub p", "a retain kept", "a sub s", "a share g", "a queue q", "a sub $queue/there", "a will w", "a read r", "a pub later")
		p, a := w.attach(core.Client{}), w.attach(user("a", time.Hour))
		p.Declare(w.turn, core.QueueSpec{Name: "there"})
		said := func(what string, want ...string) {
			t.Helper()
			var got []string
			for line := range strings.Lines(lines.String()) {
				if _, denial, ok := strings.Cut(line, "msg=acl.denied "); ok {
					got = append(got, strings.TrimSpace(denial))
				}
			}
			lines.Reset()
			expect(t, what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		of := func(action, topic, rule string) string {
			return fmt.Sprintf("action=%s namespace=default user=a client=a topic=%s rule=%s", action, topic, rule)
		}
		refused := func(reason core.Reason) { t.Helper(); expect(t, "reason", reason, core.NotAuthorized) }

		for range 2 { // also what was decided before
			_, reason := a.Route(w.turn, []byte("p"))
			refused(reason)
			said("publish", of("publish", "p", `"a pub p"`))
		}
		_, reason := a.Route(w.turn, []byte("$SYS/x"))
		refused(reason)
		said("a topic of the house", of("publish", "$SYS/x", "reserved"))
		mt, _ := a.Route(w.turn, []byte("kept"))
		_, _, reason = a.Publish(w.turn, mt, func() *core.Message { m := core.NewMessage(nil); m.Topic, m.Retain = "kept", true; return m }())
		refused(reason)
		said("retain", of("retain", "kept", `"a retain kept"`))
		refused(a.sub("s", 1).Reason)
		said("subscribe", of("subscribe", "s", `"a sub s"`))
		refused(a.sub("$share/n/g", 1).Reason)
		said("share", of("share", "g", `"a share g"`))
		refused(a.sub("$queue/there", 1).Reason)
		said("consume", of("subscribe", "$queue/there", `"a sub $queue/there"`))
		_, _, _, _, reason = a.Declare(w.turn, core.QueueSpec{Name: "q"})
		refused(reason)
		said("declare", of("queue", "q", `"a queue q"`))
		_, reason = a.Route(w.turn, []byte("$queue/q"))
		refused(reason)
		m := core.NewMessage(nil)
		m.Topic = "w"
		refused(a.SetWill(w.turn, &core.Will{Message: m}))
		lines.Reset()
		_, _, reason = a.PublishLater(w.turn, func() *core.Message { m := core.NewMessage(nil); m.Topic = "later"; return m }(), time.Hour, 9)
		refused(reason)
		lines.Reset()
		_, reason = a.Retained(w.turn, "r")
		refused(reason)
		said("read", of("deliver", "r", `"a read r"`))

		a.sub("+", 1)
		said("what is allowed")
		for range 3 {
			p.pub("r", "m", 1)
		}
		a.expect(9, "")
		said("deliveries are summed up", strings.Replace(of("deliver", "r", `"a read r"`), " rule", " messages=3 rule", 1))
	})
}

// A line that is not written costs no search for its rule.
func TestSecurity_L31_TheRuleOfALineThatIsNotWrittenIsNotSearched(t *testing.T) {
	l := reasoning{&law{}, new(int)}
	log := slog.New(slog.NewTextHandler(new(bytes.Buffer), &slog.HandlerOptions{Level: slog.LevelWarn}))
	simulateWith(t, core.Options{Authorizer: l, Log: log}, func(w *world) {
		a := w.attach(user("a", time.Hour))
		l.set(w, "a pub p")
		for range 100 {
			a.Route(w.turn, []byte("p"))
		}
		expect(t, "searches", *l.searches, 0)
	})
}

// What a receiver may not see of the retained messages that its filter matches is counted, and summed up in a line: by a walk,
// also one that comes back to a topic, by a new subscription and by a new binding.
func TestSecurity_Z7_RetainedMessagesThatAreWithheldAreToldOnce(t *testing.T) {
	for name, read := range map[string]func(w *world, a *conn) (got string){
		"ScanRetained": func(w *world, a *conn) string {
			var all []string
			for _, after := range []string{"", "t/1", "t/2"} { // the second and third were visited before
				ms, _, _, reason := a.ScanRetained(w.turn, "t/+", after, 100)
				expect(w.t, "reason", reason, core.OK)
				all = nil
				for _, m := range ms {
					all = append(all, m.Topic)
				}
			}
			return strings.Join(all, " ")
		},
		"Subscribe": func(w *world, a *conn) string {
			a.sub("t/+", 1)
			var ds []core.Delivery
			for _, window := range []int{1, 9} { // the second walks on where the first one stopped
				ds = a.Inbox().Take(w.turn, append(make([]core.Delivery, 0, 20), ds...), window)
			}
			return topics(ds)
		},
		"Bind": func(w *world, a *conn) string {
			a.Declare(w.turn, core.QueueSpec{Name: "q"})
			_, _, reason := a.Bind(w.turn, "q", core.Subscription{Filter: "t/+", QoS: 1})
			expect(w.t, "bind", reason, core.OK)
			w.end()
			info, _ := a.Inspect("q")
			return fmt.Sprint(info.Waiting, " wait")
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := reasoning{&law{}, new(int)}
			var lines bytes.Buffer
			log := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
			simulateWith(t, core.Options{Authorizer: l, Log: log}, func(w *world) {
				p := w.attach(core.Client{})
				for i := range 6 {
					p.send(fmt.Sprint("t/", i), "m", retained)
				}
				w.end()
				l.set(w, "a read t/0", "a read t/1", "a read t/4")
				a := w.attach(user("a", time.Hour))
				lines.Reset()
				got := read(w, a)
				if want := map[string]string{"ScanRetained": "t/3 t/5", "Subscribe": "t/2 t/3 t/5", "Bind": "3 wait"}[name]; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				expect(t, "dropped", w.router.Stats().Dropped[core.DropDenied], 3)
				told := 0
				for line := range strings.Lines(lines.String()) {
					if strings.Contains(line, "msg=acl.denied action=deliver namespace=default user=a client=a topic=t/") && strings.Contains(line, `rule="a read t/`) {
						n := 0
						fmt.Sscan(line[strings.Index(line, "messages=")+len("messages="):], &n)
						told += n
					}
				}
				expect(t, "told of", told, 3)
			})
		})
	}
}

func topics(ds []core.Delivery) string {
	var all []string
	for _, d := range ds {
		all = append(all, d.Message.Topic)
	}
	return strings.Join(all, " ")
}

// sparing is a log that holds lines of one event back.
type sparing struct {
	slog.Handler
	asked, written int
	holds          bool
}

func (s *sparing) Holds(event string, n int) int {
	if event == "acl.denied" {
		s.asked += n
	}
	if s.holds {
		return n
	}
	return 0
}

func (s *sparing) Handle(context.Context, slog.Record) error { s.written++; return nil }

func (s *sparing) Enabled(context.Context, slog.Level) bool { return true }

func TestALineOfADenialThatWouldBeHeldBackIsNotMade(t *testing.T) {
	h := &sparing{Handler: slog.DiscardHandler}
	o := core.Options{Authorizer: deniedPublishes{}, Log: slog.New(h)}
	simulateWith(t, o, func(w *world) {
		p := w.attach(core.Client{ID: "p"})
		h.written = 0
		expect(t, "refused", p.pub("a", "1", 0), core.NotAuthorized)
		h.holds = true
		expect(t, "refused", p.pub("a", "2", 0), core.NotAuthorized)
		if h.asked != 2 || h.written != 1 {
			t.Errorf("asked %d times, wrote %d lines", h.asked, h.written)
		}
	})
}

type deniedPublishes struct{}

func (deniedPublishes) Authorize(_ *core.Principal, a core.Action, _ string) bool {
	return a != core.ActionPublish
}
