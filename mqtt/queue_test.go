package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MY1_MY2_MY4_NamedQueues(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5)
		a.send(sub(1, "$queue/jobs/+", 1, 5))
		a.want("SUBACK #1 01")
		p := w.connect("p", v5)
		p.send(pub("jobs/1", "x", 2, 1)) // bound to filter NAME
		p.want("PUBREC #1")
		got := a.packets()
		if len(got) != 1 || show(got[0]) != fmt.Sprintf(`PUBLISH q1 #%d jobs/1 "x" id=5`, got[0].(*packet.Publish).ID) {
			t.Fatalf("got %v", got)
		}
		b := w.connect("b", v5)
		b.send(sub(1, "$queue/jobs/+", 1))
		b.recv()
		a.Drop() // released to the head at once
		if got := b.recv(); len(got) != 1 || !strings.Contains(got[0], `jobs/1 "x"`) {
			t.Errorf("got %q", got)
		}
		b.send(unsub(2, "$queue/jobs/+"))
		b.want("UNSUBACK #2 00")
		p.send(pub("jobs/2", "kept", 1, 2)) // MY4: the queue stays
		p.want("PUBACK #2")
	})
}

func TestMQTT_MY3_PublishIntoAQueue(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(retained("$queue/q", "x", 1, 1), pub("$queue/no", "x", 1, 2))
		p.want("PUBACK #1", "PUBACK #2 87")
		r := w.connect("r", v5)
		r.send(sub(1, "$queue/q", packet.NewOptions(1, false, true, 0)))
		got := r.recv()
		if len(got) != 2 || !strings.HasSuffix(got[1], `$queue/q "x"`) || strings.Contains(got[1], "retain") {
			t.Errorf("got %q", got)
		}
		if w.count("mapping_dropped_total", "mqtt", "queue", "retain") != 1 {
			t.Error("the ignored RETAIN was not counted")
		}
	}, denying("queue no"))
}

func TestMQTT_MY1_NamesOfQueues(t *testing.T) {
	run(t, nil, func(w *world) {
		long := strings.Repeat("x", 255)
		p := w.connect("p", v5)
		p.send(subs(1, "$queue/"+long, "$queue/"+long+"x", "$queue/", "$queue/a#", "$queue/a/b/c", "$queue/a/#"))
		p.want("SUBACK #1 01 8f 8f 8f 01 01")
		p.send(pub("$queue/"+long+"x", "x", 1, 2), pub("$queue/"+long, "x", 1, 3))
		p.want("PUBACK #2 90", fmt.Sprintf(`PUBLISH q1 #1 $queue/%s "x"`, long), "PUBACK #3")
	})
}

func TestMQTT_MY1_TheRightsToMakeAQueue(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(subs(1, "$queue/noqueue", "$queue/nosub", "$queue/noconsume", "$queue/ok"))
		p.want("SUBACK #1 87 87 87 01")
		q := w.connect("q", v311)
		q.send(subs(1, "$queue/noqueue"))
		q.want("SUBACK #1 80")
		w.connect("r", v5).send(pub("$queue/noqueue/other", "x", 1, 1))
		w.Turn(func(t *core.Turn) { // who may not make it may consume one that is there
			s, _ := w.Router.Attach(t, core.Client{}, nobody{})
			s.Declare(t, core.QueueSpec{Name: "nosub", Durable: true})
		})
		p.send(subs(2, "$queue/nosub"))
		p.want("SUBACK #2 01")
	}, denying("queue noqueue", "subscribe nosub", "subscribe $queue/noconsume"))
}

// nobody is a sink of no connection.
type nobody struct{}

func (nobody) Ready(*core.Turn)  {}
func (nobody) Evict(core.Reason) {}

// inspect looks at a queue as another protocol does.
func (w *world) inspect(name string) (info core.QueueInfo, bindings []core.Subscription, reason core.Reason) {
	w.Turn(func(t *core.Turn) {
		s, _ := w.Router.Attach(t, core.Client{}, nobody{})
		if info, reason = s.Inspect(name); reason == core.OK {
			bindings, _ = s.Bindings(name)
			_, created, _, _, equal := s.Declare(t, core.QueueSpec{Name: name, Durable: true})
			if created || equal != core.OK {
				w.t.Errorf("%s: declared anew as a durable queue without arguments: created %v, %v", name, created, equal)
			}
		}
		s.Detach(t, core.Normal)
	})
	return info, bindings, reason
}

func TestMQTT_MY1_MY3_WhatQueuesAreMadeLike(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(subs(1, "$queue/bound/+"), pub("$queue/bare", "x", 1, 2))
		p.want("SUBACK #1 01", "PUBACK #2")
		info, bindings, _ := w.inspect("bound/+")
		if !info.Spec.Durable || info.Spec.IdleExpiry != 24*time.Hour || len(bindings) != 1 || bindings[0].Filter != "bound/+" {
			t.Errorf("%+v %v", info.Spec, bindings)
		}
		info, bindings, _ = w.inspect("bare")
		if !info.Spec.Durable || info.Spec.IdleExpiry != 0 || len(bindings) != 0 || info.Waiting != 1 {
			t.Errorf("%+v %v", info, bindings)
		}
		p.send(subs(3, "$queue/bare")) // an existing queue gets no binding
		p.recv()
		if _, bindings, _ = w.inspect("bare"); len(bindings) != 0 {
			t.Errorf("bound to %v", bindings)
		}
	})
}

func TestMQTT_MY1_AutoQueueExpiry(t *testing.T) {
	for _, cfg := range []*Config{{}, {AutoQueueExpiry: time.Hour}} {
		t.Run(fmt.Sprint(cfg.AutoQueueExpiry), func(t *testing.T) {
			run(t, cfg, func(w *world) {
				after := cfg.AutoQueueExpiry
				if after == 0 {
					after = 24 * time.Hour
				}
				w.reader("a", v5, "$queue/q").Drop()
				w.Advance(after - time.Second)
				if _, _, r := w.inspect("q"); r != core.OK {
					t.Errorf("before: %v", r)
				}
				w.Advance(after + time.Second) // that it was declared again was a use
				if _, _, r := w.inspect("q"); r != core.NotFound {
					t.Errorf("after: %v", r)
				}
			})
		})
	}
}

func TestMQTT_MY2_QoSAndOutcomes(t *testing.T) {
	run(t, nil, func(w *world) {
		w.Turn(func(t *core.Turn) {
			s, _ := w.Router.Attach(t, core.Client{}, nobody{})
			s.Declare(t, core.QueueSpec{Name: "q", Durable: true, DeadLetter: true})
		})
		r := w.connect("r", v5)
		r.send(sub(1, "$queue/q", 1))
		r.want("SUBACK #1 01")
		p := w.connect("p", v5)
		p.send(pub("$queue/q", "good", 2, 1), pub("$queue/q", "bad", 1, 2), pub("$queue/q", "none", 0, 0))
		r.want(`PUBLISH q1 #1 $queue/q "good"`, `PUBLISH q1 #2 $queue/q "bad"`, `PUBLISH $queue/q "none"`)
		r.send(ack(packet.PUBACK, 1), ack(packet.PUBACK, 2, packet.UnspecifiedError))
		if info, _, _ := w.inspect("q"); info.Waiting+info.InFlight != 0 {
			t.Errorf("%+v", info)
		}
		if dead, _, _ := w.inspect("$dead/q"); dead.Waiting != 1 {
			t.Errorf("%d dead letters", dead.Waiting)
		}
	})
}

func TestMQTT_MY2_NothingIsHeldForAnAbsentConsumer(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.reader("a", v5, "$queue/q", keep(1000))
		p := w.connect("p", v5)
		p.send(pub("$queue/q", "1", 1, 1), pub("$queue/q", "2", 2, 2), pub("$queue/q", "3", 1, 3))
		if got := a.recv(); len(got) != 3 {
			t.Fatalf("got %q", got)
		}
		a.Drop()
		b := w.connect("b", v5)
		b.send(sub(1, "$queue/q", 2))
		p.send(pub("$queue/q", "4", 1, 4))
		got := b.recv() // 2 was sent by QoS 2 and stays with its session
		for i, want := range []string{"SUBACK #1 02", `"1"`, `"3"`, `"4"`} {
			if len(got) != 4 || !strings.HasSuffix(got[i], want) {
				t.Errorf("got %q", got)
			}
		}
		if _, got = w.resumes("a", v5, keep(1000)); len(got) != 1 || !strings.HasSuffix(got[0], `dup $queue/q "2"`) {
			t.Errorf("the session got %q", got)
		}
	})
}

func TestMQTT_MY3_AFullQueueRefuses(t *testing.T) {
	run(t, nil, func(w *world) {
		w.Turn(func(t *core.Turn) {
			s, _ := w.Router.Attach(t, core.Client{}, nobody{})
			s.Declare(t, core.QueueSpec{Name: "q", Durable: true, Limits: core.QueueLimits{Messages: 1}})
		})
		p := w.connect("p", v5)
		p.send(pub("$queue/q", "1", 1, 1), pub("$queue/q", "2", 1, 2))
		p.want("PUBACK #1", "PUBACK #2 97")
	})
}

func TestMQTT_MY4_RetainHandlingHasNoEffect(t *testing.T) {
	run(t, nil, func(w *world) {
		w.connect("p", v5).send(retained("a", "x", 1, 1))
		r := w.connect("r", v5)
		for handling := range byte(3) {
			r.send(sub(1, "$queue/a", packet.NewOptions(1, false, false, handling), 7))
			r.want("SUBACK #1 01")
		}
		w.connect("q", v5).send(pub("a", "live", 1, 1))
		r.want(`PUBLISH q1 #1 a "live" id=7`)
	})
}

func TestMQTT_MY1_AQueueThatWasDeletedIsMadeAgain(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "$queue/q")
		w.Turn(func(t *core.Turn) {
			s, _ := w.Router.Attach(t, core.Client{}, nobody{})
			s.Delete(t, "q", false, false)
		})
		r.send(sub(2, "$queue/q", 1))
		r.want("SUBACK #2 01")
		w.connect("p", v5).send(pub("q", "x", 1, 1))
		r.want(`PUBLISH q1 #1 q "x"`)
	})
}

func TestMQTT_MY1_MY3_QueuesSurviveARestart(t *testing.T) {
	store := adaptertest.NewStore()
	keepIn := func(o *adaptertest.Options) { o.Store = store }
	t.Run("before", func(t *testing.T) {
		runHere(t, nil, func(w *world) {
			p := w.reader("p", v5, "$queue/jobs/+")
			p.send(unsub(2, "$queue/jobs/+"), pub("jobs/1", "a", 1, 3), pub("$queue/bare", "b", 2, 4))
			p.want("UNSUBACK #2 00", "PUBACK #3", "PUBREC #4")
		}, keepIn)
	})
	t.Run("after", func(t *testing.T) {
		runHere(t, nil, func(w *world) {
			r := w.connect("r", v5)
			r.send(subs(1, "$queue/jobs/+", "$queue/bare"))
			got := r.recv()
			if len(got) != 3 || !strings.HasSuffix(got[1], `jobs/1 "a"`) || !strings.HasSuffix(got[2], `$queue/bare "b"`) {
				t.Errorf("got %q", got)
			}
		}, keepIn)
	})
}
