package mqtt

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func delayedOn() *Config { return &Config{Delayed: true} }

func TestMQTT_MY5_DelayedIsOffByDefault(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("$delayed/1/a", "x", 1, 1), pub("$delayed/0/a", "x", 2, 2), pub("$delayed/1/a", "x", 0, 0))
		p.want("PUBACK #1 87", "PUBREC #2 87")
		q := w.connect("q", v311)
		q.send(pub("$delayed/1/a", "x", 1, 1))
		q.want("PUBACK #1")
		if w.count("messages_dropped_total", "mqtt", "acl") != 1 {
			t.Error("not counted")
		}
	})
}

func TestMQTT_MY5_NeverEarlyAndAtMost100msLate(t *testing.T) {
	run(t, delayedOn(), func(w *world) {
		r, p := w.reader("r", v5, "a/#"), w.connect("p", v5)
		p.send(pub("$delayed/2/a/b", "x", 1, 1), pub("$delayed/3/a/c", "y", 2, 2), pub("$delayed/0004/a/d", "z", 0, 0))
		p.want("PUBACK #1", "PUBREC #2") // 00 although it reached nobody yet
		w.Advance(1999 * time.Millisecond)
		r.want()
		w.Advance(101 * time.Millisecond)
		r.want(`PUBLISH q1 #2 a/b "x"`)
		w.Advance(899 * time.Millisecond)
		r.want()
		w.Advance(101 * time.Millisecond)
		r.want(`PUBLISH q2 #3 a/c "y"`)
		w.Advance(time.Second)
		r.want(`PUBLISH a/d "z"`)
	})
}

func TestMQTT_MY5_BadNumbers(t *testing.T) {
	bad := []string{
		"$delayed/0/a", "$delayed/00/a", "$delayed/-1/a", "$delayed/1.5/a", "$delayed/ 1/a", "$delayed/1 /a", "$delayed/1e3/a",
		"$delayed//a", "$delayed/a", "$delayed/5", "$delayed/", "$delayed/5/", "$delayed/604801/a", "$delayed/4294967297/a",
		"$delayed/18446744073709551617/a", "$delayed/0x10/a", "$delayed/" + strings.Repeat("9", 1000) + "/a", "$delayed/٣/a",
	}
	run(t, delayedOn(), func(w *world) {
		for _, name := range bad {
			for qos := range byte(3) {
				p := w.connect("p", v5)
				id := uint16(min(qos, 1))
				p.send(pub(name, "x", qos, id))
				if got := p.recv(); len(got) != 1 || got[0] != "DISCONNECT 90" {
					t.Errorf("%s with QoS %d: %q", name, qos, got)
				}
				p.ends()
			}
			q := w.connect("q", v311)
			q.send(pub(name, "x", 1, 1))
			q.ends()
		}
		p := w.connect("p", v5)
		p.send(pub("$delayed", "x", 1, 1), pub("$delayedx/1/a", "x", 1, 2), pub("$Delayed/1/a", "x", 1, 3)) // other $ topics
		p.want("PUBACK #1 87", "PUBACK #2 87", "PUBACK #3 87")
		p.send(pub("$delayed/604800/a", "x", 1, 4))
		p.want("PUBACK #4")
		p.open()
	})
}

func TestMQTT_MY5_DelayedMax(t *testing.T) {
	run(t, &Config{Delayed: true, DelayedMax: 90 * time.Second}, func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("$delayed/90/a", "x", 1, 1))
		p.want("PUBACK #1")
		p.send(pub("$delayed/91/a", "x", 1, 2))
		p.ends("DISCONNECT 90")
	})
}

func TestMQTT_MY5_TheRulesOfNamesApplyToTheTopic(t *testing.T) {
	run(t, delayedOn(), func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("$delayed/1/$SYS/a", "x", 1, 1), pub("$delayed/1/$share/g/a", "x", 1, 2), pub("$delayed/1/$delayed/1/a", "x", 1, 3),
			pub("$delayed/1/"+strings.Repeat("a/", 127)+"a", "x", 1, 4), pub("$delayed/1/"+strings.Repeat("a/", 128)+"a", "x", 1, 5))
		p.want("PUBACK #1 87", "PUBACK #2 87", "PUBACK #3 87", "PUBACK #4", "PUBACK #5 90")
		p.raw("30 10 00 0c 24 64 65 6c 61 79 65 64 2f 31 2f 23 00 78") // "$delayed/1/#"
		p.ends("DISCONNECT 90")
		q := w.connect("q", v311)
		q.send(pub("$delayed/1/"+strings.Repeat("a/", 128)+"a", "x", 1, 5))
		q.ends()
	})
}

// revoking denies the topic "later" too, once it is told so.
type revoking struct {
	deny
	later atomic.Bool
}

func (r *revoking) Authorize(p *core.Principal, a core.Action, topic string) bool {
	return r.deny.Authorize(p, a, topic) && !(topic == "later" && a == core.ActionPublish && r.later.Load())
}

func TestMQTT_MY5_TheRightIsAskedForAtEntryAndWhenDue(t *testing.T) {
	rules := &revoking{deny: deny{"publish no", "retain keepnot"}}
	run(t, delayedOn(), func(w *world) {
		r, p := w.reader("r", v5, "#"), w.connect("p", v5)
		p.send(pub("$delayed/1/no", "x", 1, 1), pub("$delayed/1/no", "x", 0, 0), retained("$delayed/1/keepnot", "x", 1, 2),
			pub("$delayed/10/later", "x", 1, 3), pub("$delayed/10/fine", "x", 1, 4))
		p.want("PUBACK #1 87", "PUBACK #2 87", "PUBACK #3", "PUBACK #4")
		rules.later.Store(true)
		w.Advance(11 * time.Second)
		r.want(`PUBLISH q1 #2 fine "x"`)
		if n := w.Router.Stats().Dropped[core.DropDenied]; n != 1 {
			t.Errorf("counted %d", n)
		}
		q := w.connect("q", v311)
		q.send(pub("$delayed/1/later", "x", 1, 1))
		q.want("PUBACK #1") // acknowledged and dropped
		w.Advance(2 * time.Second)
		r.want()
	}, func(o *adaptertest.Options) { o.Core = func(c *core.Options) { c.Authorizer = rules } })
}

func TestMQTT_MY5_ADeniedPublishOf311Closes(t *testing.T) {
	run(t, &Config{Delayed: true, V3Denied: "close"}, func(w *world) {
		q := w.connect("q", v311)
		q.send(pub("$delayed/1/no", "x", 1, 1))
		q.ends()
	}, denying("publish no"))
}

func TestMQTT_MY5_AnAliasStandsForTheTopicAsSent(t *testing.T) {
	run(t, delayedOn(), func(w *world) {
		r, p := w.reader("r", v5, "a"), w.connect("p", v5)
		p.send(with(pub("$delayed/2/a", "1", 1, 1), setNum(packet.TopicAlias, 3)))
		w.Advance(time.Second)
		p.send(with(pub("", "2", 1, 2), setNum(packet.TopicAlias, 3)))
		p.want("PUBACK #1", "PUBACK #2")
		w.Advance(1100 * time.Millisecond)
		r.want(`PUBLISH q1 #2 a "1"`)
		w.Advance(time.Second)
		r.want(`PUBLISH q1 #3 a "2"`)
	})
}

func TestMQTT_MY5_AWillIsNotDelayedThatWay(t *testing.T) {
	run(t, delayedOn(), func(w *world) {
		w.dial("p", v5, will("$delayed/5/a", "x", 0, false)).ends("CONNACK code=87")
		w.dial("q", v311, will("$delayed/5/a", "x", 0, false)).ends("CONNACK code=05")
	})
}

func TestMQTT_MY6_PubackWhenStored(t *testing.T) {
	g := &gated{Store: adaptertest.NewStore()}
	run(t, delayedOn(), func(w *world) {
		r := w.reader("r", v5, "a")
		p := w.connect("p", v5)
		open := g.shut()
		p.send(pub("$delayed/1/a", "1", 1, 1), pub("$delayed/1/a", "2", 2, 2), pub("$delayed/1/a", "0", 0, 0), ping)
		p.want("PINGRESP")
		open()
		w.Settle()
		p.want("PUBACK #1", "PUBREC #2")
		w.Advance(1100 * time.Millisecond)
		r.want(`PUBLISH q1 #2 a "1"`, `PUBLISH q2 #3 a "2"`, `PUBLISH a "0"`)
	}, func(o *adaptertest.Options) { o.Store = g })
}

func TestMQTT_MY6_AStoreThatCannotWrite(t *testing.T) {
	store := adaptertest.NewStore()
	run(t, delayedOn(), func(w *world) {
		r, p, q := w.reader("r", v5, "a"), w.connect("p", v5), w.connect("q", v311)
		store.Fail(fmt.Errorf("disk is full"))
		p.send(pub("$delayed/1/a", "1", 1, 1), pub("$delayed/1/a", "2", 2, 2))
		p.want("PUBACK #1 97", "PUBREC #2 97")
		p.send(pub("$delayed/1/a", "3", 2, 2))
		p.want("PUBREC #2 97")
		q.send(pub("$delayed/1/a", "x", 1, 1)) // no word for it
		q.want()
		w.Advance(5 * time.Second)
		r.want()
	}, func(o *adaptertest.Options) { o.Store = store })
}

func TestMQTT_MY6_QoS2IsExactlyOnce(t *testing.T) {
	run(t, delayedOn(), func(w *world) {
		r, p := w.reader("r", v5, "a"), w.connect("p", v5, keep(1000))
		m := pub("$delayed/2/a", "x", 2, 1)
		p.send(m)
		p.want("PUBREC #1")
		p, _ = w.resumes("p", v5, keep(1000))
		m.Dup = true
		p.send(m, ack(packet.PUBREL, 1))
		p.want("PUBREC #1", "PUBCOMP #1")
		p.send(pub("$delayed/2/a", "y", 2, 1))
		p.want("PUBREC #1")
		w.Advance(3 * time.Second)
		r.want(`PUBLISH q2 #2 a "x"`, `PUBLISH q2 #3 a "y"`)
	})
}

func TestMQTT_MY6_DurableOverRestarts(t *testing.T) {
	store := adaptertest.NewStore()
	keepIn := func(o *adaptertest.Options) { o.Store = store }
	t.Run("before", func(t *testing.T) {
		runHere(t, delayedOn(), func(w *world) {
			w.reader("r", v5, "a", keep(600000)).Drop()
			p := w.connect("p", v5)
			p.send(with(pub("$delayed/100/a", "1", 1, 1), user("k", "v"), setNum(packet.MessageExpiryInterval, 500), setStr(packet.ContentType, "t")),
				pub("$delayed/100/a", "2", 2, 2), pub("$delayed/10/a", "gone by", 1, 3))
			p.want("PUBACK #1", "PUBREC #2", "PUBACK #3")
			w.Advance(5 * time.Second)
		}, keepIn)
	})
	t.Run("after", func(t *testing.T) { // the bubble's clock starts anew, five seconds back: time goes on from where it was
		runHere(t, delayedOn(), func(w *world) {
			r, got := w.resumes("r", v5, keep(600000))
			if len(got) != 0 {
				t.Errorf("early: %q", got)
			}
			w.Advance(100 * time.Second)
			r.want(`PUBLISH q1 #2 a "gone by"`, `PUBLISH q1 #3 a "1" 02=395 03=t k:v`, `PUBLISH q2 #4 a "2"`)
			r.send(ack(packet.PUBACK, 2), ack(packet.PUBACK, 3), ack(packet.PUBREC, 4))
			r.want("PUBREL #4")
			r.send(ack(packet.PUBCOMP, 4))
		}, keepIn)
	})
	t.Run("once", func(t *testing.T) {
		runHere(t, delayedOn(), func(w *world) {
			r, got := w.resumes("r", v5, keep(600000))
			w.Advance(1000 * time.Second)
			if got = append(got, r.recv()...); len(got) != 0 {
				t.Errorf("again: %q", got)
			}
		}, keepIn)
	})
}

func TestMQTT_MY6_ExpiryCountsFromEntry(t *testing.T) {
	run(t, delayedOn(), func(w *world) {
		r, p := w.reader("r", v5, "a"), w.connect("p", v5)
		for i, expiry := range []uint32{0, 10, 11, 12, 30} {
			p.send(with(pub("$delayed/11/a", fmt.Sprint(expiry), 1, uint16(i+1)), setNum(packet.MessageExpiryInterval, expiry)))
		}
		w.Advance(11 * time.Second)
		r.want(`PUBLISH q1 #2 a "12" 02=1`, `PUBLISH q1 #3 a "30" 02=19`)
		if n := w.Router.Stats().Dropped[core.DropExpired]; n != 3 {
			t.Errorf("counted %d", n)
		}
	})
}

func TestMQTT_MY6_DelayedMessages(t *testing.T) {
	run(t, &Config{Delayed: true, DelayedMessages: 2}, func(w *world) {
		p, q := w.connect("p", v5), w.connect("q", v311)
		p.send(pub("$delayed/5/a", "1", 1, 1), pub("$delayed/5/a", "2", 0, 0), pub("$delayed/5/a", "3", 1, 3), pub("$delayed/5/a", "4", 2, 4), pub("$delayed/5/a", "5", 0, 0))
		p.want("PUBACK #1", "PUBACK #3 97", "PUBREC #4 97")
		if w.count("messages_dropped_total", "mqtt", "queue_full") != 1 {
			t.Error("QoS 0 beyond the limit was not counted")
		}
		q.send(pub("$delayed/5/a", "1", 1, 1))
		q.want() // withheld, and reading pauses
		w.Advance(6 * time.Second)
		p.send(pub("$delayed/5/a", "6", 1, 6))
		p.want("PUBACK #6")
	})
}

func TestMQTT_MY6_RetainTakesEffectWhenDue(t *testing.T) {
	run(t, delayedOn(), func(w *world) {
		p := w.connect("p", v5)
		p.send(retained("a", "old", 1, 1), retained("$delayed/5/a", "new", 1, 2), retained("$delayed/10/a", "", 1, 3))
		p.want("PUBACK #1 10", "PUBACK #2", "PUBACK #3")
		look := func(id string, want ...string) {
			t.Helper()
			r := w.connect(id, v5)
			r.send(sub(1, "a", 0))
			r.want(append([]string{"SUBACK #1 00"}, want...)...)
		}
		look("1", `PUBLISH retain a "old"`)
		w.Advance(6 * time.Second)
		look("2", `PUBLISH retain a "new"`)
		w.Advance(5 * time.Second)
		look("3")
	})
}

func TestMQTT_MY6_OrderOfEqualTimesIsOrderOfEntry(t *testing.T) {
	run(t, delayedOn(), func(w *world) {
		r := w.reader("r", v5, "a")
		p, q := w.connect("p", v5), w.connect("q", v5)
		for i := range 50 {
			from := p
			if i%2 > 0 {
				from = q
			}
			from.send(pub("$delayed/9/a", fmt.Sprint(i), byte(i%2), uint16(i%2*(i+1))))
			if i == 24 {
				w.Advance(time.Second)
				for j := range 10 { // due with those before, one second less
					p.send(pub("$delayed/8/a", fmt.Sprint("b", j), 0, 0))
				}
				w.Advance(time.Second)
			}
		}
		w.Advance(20 * time.Second)
		var got []string
		for _, x := range r.packets() {
			got = append(got, string(x.(*packet.Publish).Payload))
		}
		var want []string
		for i := range 50 {
			want = append(want, fmt.Sprint(i))
			for j := 0; i == 24 && j < 10; j++ {
				want = append(want, fmt.Sprint("b", j))
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("got %v", got)
		}
	})
}

func TestMQTT_MY5_MY3_ADelayedMessageIntoAQueue(t *testing.T) {
	run(t, delayedOn(), func(w *world) {
		p := w.connect("p", v5)
		p.send(retained("$delayed/5/$queue/q", "x", 1, 1), pub("$delayed/5/$queue/no", "x", 1, 2))
		p.want("PUBACK #1", "PUBACK #2 87")
		r := w.reader("r", v5, "$queue/q")
		w.Advance(5100 * time.Millisecond)
		r.want(`PUBLISH q1 #1 $queue/q "x"`)
		if w.count("mapping_dropped_total", "mqtt", "queue", "retain") != 1 {
			t.Error("the ignored RETAIN was not counted")
		}
	}, denying("queue no"))
}

func FuzzDelayedTopic(f *testing.F) {
	for _, s := range []string{"$delayed/1/a", "$delayed/0/a", "$delayed/604800/a/b", "$delayed/604801/a", "$delayed/007/", "$delayed//a", "$delayed/5", "$SYS/a", "a", ""} {
		f.Add(s)
	}
	form := regexp.MustCompile(`(?s)^\$delayed/0*([0-9]{1,9})/(.+)$`)
	s := (&Config{Delayed: true}).settings()
	f.Fuzz(func(t *testing.T, name string) {
		got, err := s.splitDelayed([]byte(name))
		want, refused := place{name: []byte(name)}, false
		if strings.HasPrefix(name, "$delayed/") {
			m := form.FindStringSubmatch(name)
			refused = m == nil
			if m != nil {
				n, _ := strconv.Atoi(m[1])
				want = place{name: []byte(m[2]), after: uint32(n)}
				refused = n < 1 || n > 7*24*3600
			}
		}
		if refused != (err != nil) || !refused && (string(got.name) != string(want.name) || got.after != want.after) {
			t.Fatalf("%q: %s after %d, %v", name, got.name, got.after, err)
		}
	})
}
