package mqtt

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func auto(list ...AutoSubscribe) *Config { return &Config{AutoSubscribe: list} }

func TestMQTT_MY8_MadeAfterConnackAsIfSubscribed(t *testing.T) {
	cfg := auto(AutoSubscribe{Filter: "cmd/{client}/#", QoS: 1}, AutoSubscribe{Filter: "all/{user}", QoS: 2, RetainAsPublished: true})
	run(t, cfg, func(w *world) {
		p := w.connect("p", v5, as("u", ""))
		p.send(retained("cmd/a/old", "1", 1, 1), retained("cmd/p/old", "2", 0, 0))
		p.want(`PUBLISH cmd/p/old "2"`, "PUBACK #1 10")
		for _, v := range []packet.Version{v31, v311, v5} {
			a := w.dial("a", v, as("u", ""))
			got := a.recv()
			if len(got) != 2 || !strings.HasPrefix(got[0], "CONNACK") || strings.Contains(got[0], "code") || !strings.HasSuffix(got[1], `retain cmd/a/old "1"`) {
				t.Errorf("%v: %q", v, got) // no SUBACK, and what is retained follows
			}
			p.send(pub("cmd/a/x", "3", 2, 2), retained("all/u", "4", 0, 0), pub("cmd/b/x", "5", 0, 0), pub("all/v", "6", 0, 0))
			p.recv()
			p.send(ack(packet.PUBREL, 2))
			p.recv()
			got = a.recv()
			if len(got) != 2 || !strings.HasSuffix(got[0], `cmd/a/x "3"`) || !strings.Contains(got[0], "q1") || got[1] != `PUBLISH retain all/u "4"` {
				t.Errorf("%v: %q", v, got)
			}
			p.send(retained("all/u", "", 0, 0))
			a.Drop()
		}
	}, authBy(login{}))
}

func TestMQTT_MY8_TheOptionsHold(t *testing.T) {
	run(t, auto(AutoSubscribe{Filter: "a", NoLocal: true, RetainHandling: 2}, AutoSubscribe{Filter: "b", RetainHandling: 1}, AutoSubscribe{Filter: "$share/g/c/#", QoS: 1}, AutoSubscribe{Filter: "$queue/q", QoS: 1}), func(w *world) {
		p := w.connect("p", v5)
		p.send(retained("a", "1", 1, 1), retained("b", "2", 0, 0))
		p.want(`PUBLISH b "2"`, "PUBACK #1 10")
		r := w.dial("r", v5, keep(1000))
		r.want("CONNACK "+announced, `PUBLISH retain b "2"`)
		p.send(pub("a", "3", 0, 0), pub("q", "4", 1, 2))
		if got := append(p.recv(), r.recv()...); strings.Count(strings.Join(got, "\n"), "PUBLISH") != 2 { // "3" to r, "4" to one of both
			t.Errorf("got %q", got)
		}
		r.Drop()
		if _, got := w.resumes("r", v5, keep(1000)); len(got) != 0 { // retain handling 1: not new
			t.Errorf("again: %q", got)
		}
	})
}

func TestMQTT_MY8_RetainedMessagesWaitForTheStore(t *testing.T) {
	g := &gated{Store: adaptertest.NewStore()}
	run(t, auto(AutoSubscribe{Filter: "a", QoS: 1}), func(w *world) {
		w.connect("p", v5).send(retained("a", "x", 1, 1))
		open := g.shut()
		r := w.dial("r", v5, keep(100))
		r.want()
		g.gate <- struct{}{} // the session is stored
		w.Settle()
		r.want("CONNACK " + announced)
		open() // and the subscription
		w.Settle()
		r.want(`PUBLISH q1 #2112 retain a "x"`)
	}, func(o *adaptertest.Options) { o.Store = g })
}

func TestMQTT_MY8_NothingChangesOnAResumedSessionThatHasTheFilter(t *testing.T) {
	store := adaptertest.NewStore()
	keepIn := func(o *adaptertest.Options) { o.Store = store }
	cfg := auto(AutoSubscribe{Filter: "a/{client}", QoS: 1}, AutoSubscribe{Filter: "$share/g/s", QoS: 1}, AutoSubscribe{Filter: "$queue/q", QoS: 1})
	t.Run("before", func(t *testing.T) {
		runHere(t, cfg, func(w *world) {
			w.connect("p", v5).send(retained("a/r", "kept", 1, 1))
			r := w.dial("r", v5, keep(600000))
			r.want("CONNACK "+announced, `PUBLISH q1 #2112 retain a/r "kept"`)
			r.send(ack(packet.PUBACK, 2112))
			r.send(sub(1, "a/r", packet.NewOptions(2, false, true, 2), 7)) // the client's own wish
			r.want("SUBACK #1 02")
			r.Drop()
			p := w.connect("p", v5)
			p.send(pub("a/r", "away", 2, 1))
			p.recv()
			p.Drop()
			again, got := w.resumes("r", v5, keep(600000))
			if len(got) != 1 || !strings.HasSuffix(got[0], `a/r "away" id=7`) || !strings.Contains(got[0], "q2") {
				t.Errorf("got %q", got)
			}
			id := lastID(got[0])
			for _, step := range []packet.Type{packet.PUBREC, packet.PUBCOMP} {
				again.send(ack(step, id))
				again.recv()
			}
			again.Drop()
		}, keepIn)
	})
	t.Run("over a restart", func(t *testing.T) {
		runHere(t, cfg, func(w *world) {
			r, _ := w.resumes("r", v5, keep(600000))
			w.connect("p", v5).send(pub("a/r", "live", 0, 0))
			r.want(`PUBLISH a/r "live" id=7`)
			r.send(unsub(2, "a/r", "$share/g/s", "$queue/q")) // the client may unsubscribe it
			r.want("UNSUBACK #2 00 00 00")
			w.connect("q", v5).send(pub("a/r", "not heard", 0, 0))
			r.want()
			r.Drop()
			again := w.dial("r", v5, keep(600000)) // and gets it again by its next connection
			if got := again.recv(); len(got) != 2 || !strings.HasSuffix(got[1], `retain a/r "kept"`) {
				t.Errorf("got %q", got)
			}
		}, keepIn)
	})
}

func TestMQTT_MY8_RightsAndQuotasApply(t *testing.T) {
	var log bytes.Buffer
	cfg := auto(AutoSubscribe{Filter: "no"}, AutoSubscribe{Filter: "x/{client}"}, AutoSubscribe{Filter: "1"}, AutoSubscribe{Filter: "2"}, AutoSubscribe{Filter: "3"}, AutoSubscribe{Filter: "$share/g/a"}, AutoSubscribe{Filter: "w/#"})
	off := false
	cfg.SharedAvailable, cfg.WildcardAvailable = &off, &off
	run(t, cfg, func(w *world) {
		p := w.connect("a/b", v5)
		p.send(pub("no", "x", 0, 0), pub("x/a/b", "x", 0, 0), pub("1", "x", 0, 0), pub("2", "x", 0, 0), pub("3", "x", 0, 0), pub("a", "x", 0, 0), pub("w/a", "x", 0, 0))
		p.want(`PUBLISH 1 "x"`, `PUBLISH 2 "x"`)
		for reason, n := range map[string]uint64{"not authorized": 1, "bad filter": 1, "quota exceeded": 1, "not supported": 2} {
			if got := w.count("refused_total", "mqtt", reason); got != n {
				t.Errorf("%s: counted %d", reason, got)
			}
		}
		for _, line := range []string{`filter=no reason="not authorized"`, `filter=x/{client} reason="bad filter"`, `filter=3 reason="quota exceeded"`, `filter=$share/g/a reason="not supported"`, "client=a/b"} {
			if !strings.Contains(log.String(), line) {
				t.Errorf("the log does not say %s:\n%s", line, log.String())
			}
		}
	}, denying("subscribe no"), func(o *adaptertest.Options) {
		rules := o.Core
		o.Core = func(c *core.Options) { rules(c); c.Limits.Subscriptions = 2 }
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
}

func TestMQTT_MY8_MY7_AutomaticSubscriptionsAreRewritten(t *testing.T) {
	cfg := auto(AutoSubscribe{Filter: "x/{client}"})
	cfg.Rewrite = []Rewrite{on("subscribe", "x/#", "y/{#}")}
	run(t, cfg, func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("y/p", "1", 0, 0), pub("x/p", "2", 0, 0))
		p.want(`PUBLISH y/p "1"`)
		p.send(unsub(1, "x/p")) // by the name that the configuration knows
		p.want("UNSUBACK #1 00")
	})
}

func TestMQTT_MY8_WhatIsRefused(t *testing.T) {
	t.Parallel()
	many := make([]AutoSubscribe, 21)
	for i := range many {
		many[i].Filter = "a"
	}
	if err := auto(many[:20]...).Validate(); err != nil {
		t.Error(err)
	}
	for says, list := range map[string][]AutoSubscribe{
		"mqtt.auto_subscribe: 21 elements are more than 20":                                    many,
		`mqtt.auto_subscribe[1].filter: "a#" is no topic filter`:                               {{Filter: "a"}, {Filter: "a#"}},
		`mqtt.auto_subscribe[0].filter: "" is no topic filter`:                                 {{}},
		`mqtt.auto_subscribe[0].filter: "$share/g" is no topic filter`:                         {{Filter: "$share/g"}},
		`mqtt.auto_subscribe[0].filter: "$queue/" is no topic filter`:                          {{Filter: "$queue/"}},
		`mqtt.auto_subscribe[0].filter: there is no placeholder {1}, only {client} and {user}`: {{Filter: "a/{1}"}},
		`mqtt.auto_subscribe[0].filter: there is no placeholder {id}`:                          {{Filter: "a/{id}"}},
		`mqtt.auto_subscribe[0].filter: a placeholder is a whole level`:                        {{Filter: "a/x{client}"}},
		`mqtt.auto_subscribe[0].qos: 3 is not between 0 and 2`:                                 {{Filter: "a", QoS: 3}},
		`mqtt.auto_subscribe[0].retain_handling: 3 is not between 0 and 2`:                     {{Filter: "a", RetainHandling: 3}},
		`mqtt.auto_subscribe[0].no_local: it cannot be had with a shared`:                      {{Filter: "$share/g/a", NoLocal: true}},
		`mqtt.auto_subscribe[0].no_local: it cannot be had with a shared subscription`:         {{Filter: "$queue/a", NoLocal: true}},
	} {
		if err := auto(list...).Validate(); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%v\nwant %s", err, says)
		}
	}
}

// lastID is the packet identifier in a line of recv.
func lastID(line string) (id uint16) {
	_, rest, _ := strings.Cut(line, "#")
	n, _, _ := strings.Cut(rest, " ")
	v, _ := strconv.ParseUint(n, 10, 16)
	return uint16(v)
}
