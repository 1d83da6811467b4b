package stomp

import (
	"strconv"
	"strings"
	"testing"
)

func TestSTOMP_ST39_AnIDIsRequiredAndUnique(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, v := range []string{"1.1", "1.2"} {
			p := w.connect(v)
			p.say("SUBSCRIBE", "destination:/topic/a")
			p.errorFrame("Missing header")
		}
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/b")
		if f := p.errorFrame("Duplicated subscription identifier"); f.body != "A subscription identified by 'T_1' already exists.\n" {
			t.Errorf("%q", f.body)
		}
		p = w.connect("1.2")
		p.say("SUBSCRIBE", "id:/temp-queue/x", "destination:/topic/a")
		p.errorFrame("Invalid id")
		p = w.connect("1.0")
		p.say("SUBSCRIBE", "destination:/topic/a")
		p.say("SEND", "destination:/topic/a", "", "x")
		if m := p.bodies("x")[0]; m.header["subscription"] != "" || m.header["message-id"] != "Q_/topic/a@@"+p.id+"@@1" {
			t.Errorf("%v", m)
		}
	})
}

func TestSTOMP_ST40_AnUnknownAckModeIsRefused(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a", "ack:always")
		p.errorFrame("Invalid header")
	})
}

func TestSTOMP_ST41_UNSUBSCRIBEEndsOneSubscription(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.0")
		p.say("SUBSCRIBE", "destination:/topic/a")
		p.say("SUBSCRIBE", "id:2", "destination:/topic/b")
		p.say("UNSUBSCRIBE", "destination:/topic/a", "receipt:1")
		p.say("UNSUBSCRIBE", "id:2", "receipt:2")
		p.receipts("1", "2")
		w.connect("1.2").say("SEND", "destination:/topic/a", "", "x")
		p.none() // ST42: nothing after the RECEIPT
		p.say("UNSUBSCRIBE", "id:2")
		p.errorFrame("No subscription found")
		p = w.connect("1.2")
		p.say("UNSUBSCRIBE", "destination:/topic/a")
		p.errorFrame("Missing destination or id")
	})
}

func TestSTOMP_ST28_AQueueGivesEachMessageToOneConsumer(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		a, b, pub := w.connect("1.2"), w.connect("1.1"), w.connect("1.2")
		a.say("SUBSCRIBE", "id:1", "destination:/queue/jobs", "ack:client-individual", "prefetch-count:1")
		b.say("SUBSCRIBE", "id:1", "destination:$queue/jobs", "ack:client-individual", "prefetch-count:1")
		for _, dest := range []string{"/queue/jobs", "/topic/$queue/jobs", "/amq/queue/jobs", "/exchange/amq.default/jobs"} {
			pub.say("SEND", "destination:"+dest, "", dest)
		}
		x, y := a.frames(), b.frames()
		if len(x) != 1 || len(y) != 1 || x[0].body == y[0].body || x[0].header["destination"] != "/queue/jobs" {
			t.Errorf("%v, %v", x, y)
		}
	})
}

func TestSTOMP_AMQQueueMustExist(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, cmd := range []string{"SEND", "SUBSCRIBE"} {
			p := w.connect("1.2")
			p.say(cmd, "id:1", "destination:/amq/queue/nope", "")
			p.errorFrame("not_found")
		}
		p := w.connect("1.2")
		p.say("SEND", "destination:/queue/yes", "", "x")
		p.say("SUBSCRIBE", "id:1", "destination:/amq/queue/yes")
		p.bodies("x")
	})
}

func TestSTOMP_ST30_XBindFillsAQueueFromTopics(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		const bind = "x-bind:sensors/+,/topic/alarms.#,odd%2Ccomma"
		p.say("SUBSCRIBE", "id:1", "destination:/queue/in", bind)
		p.say("UNSUBSCRIBE", "id:1")
		p.say("SUBSCRIBE", "id:1", "destination:/queue/in", bind) // idempotent
		for _, topic := range []string{"sensors/1", "alarms/x/y", "odd,comma", "other"} {
			p.say("SEND", "destination:"+topic, "", topic)
		}
		p.bodies("sensors/1", "alarms/x/y", "odd,comma")
		p.say("SUBSCRIBE", "id:2", "destination:/queue/in", "x-bind:secret/x")
		p.errorFrame("access_refused")
	})
}

func TestSTOMP_ST36_GroupsShareOneQueue(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		a, b, pub := w.connect("1.2"), w.connect("1.2"), w.connect("1.2")
		a.say("SUBSCRIBE", "id:1", "destination:/topic/a/+", "x-group:g", "ack:client-individual", "prefetch-count:1")
		b.say("SUBSCRIBE", "id:1", "destination:$share/g/a/+", "ack:client-individual", "prefetch-count:1")
		pub.say("SEND", "destination:/topic/a/1", "", "1")
		pub.say("SEND", "destination:/topic/a/2", "", "2")
		x, y := a.frames(), b.frames()
		if len(x) != 1 || len(y) != 1 || x[0].body == y[0].body {
			t.Errorf("%v, %v", x, y)
		}
	})
}

func TestSTOMP_ST45_ADurableSubscriptionNeedsAName(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.0")
		p.say("SUBSCRIBE", "destination:/topic/a", "durable:true")
		if f := p.errorFrame("Missing Header"); f.body != "Header 'id' is required for durable subscriptions\n" {
			t.Errorf("%q", f.body)
		}
	})
}

func TestSTOMP_ST45_ST46_DurableSubscriptionsKeepWhatComesMeanwhile(t *testing.T) {
	for name, headers := range map[string][]string{
		"RabbitMQ": {"id:1", "durable:true"}, "persistent": {"id:1", "persistent:true"},
		"ActiveMQ": {"id:1", "activemq.subscriptionName:s"}, "Artemis": {"id:2", "durable-subscription-name:s"},
		"named": {"id:3", "x-queue-name:mine", "durable:true"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, DefaultConfig(), func(w *world) {
				login := []string{"login:user", "passcode:secret", "client-id:c"}
				p, pub := w.connect("1.2", login...), w.connect("1.2")
				sub := append([]string{"destination:/topic/a/+", "ack:client", "receipt:r"}, headers...)
				p.say("SUBSCRIBE", sub...)
				p.receipts("r")
				pub.say("SEND", "destination:/topic/a/1", "persistent:true", "", "1")
				pub.say("SEND", "destination:/topic/a/1", "persistent:true", "", "2")
				m := p.bodies("1", "2")
				p.say("ACK", "id:"+m[0].header["ack"], "receipt:a")
				p.receipts("a")
				p.gone()
				pub.say("SEND", "destination:/topic/a/1", "persistent:true", "", "3")

				other := w.connect("1.2", "login:other", "passcode:secret", "client-id:c")
				if name != "named" { // a name of one's own choice is everybody's
					other.say("SUBSCRIBE", append([]string{"destination:/topic/a/+"}, headers...)...)
					other.none()
				}
				p = w.connect("1.2", login...)
				if name != "named" { // a queue of the client's own name keeps its bindings
					sub[0] = "destination:/topic/b" // a changed filter keeps what waits
				}
				p.say("SUBSCRIBE", append(sub[:2:2], headers...)...)
				if name != "named" {
					pub.say("SEND", "destination:/topic/a/1", "persistent:true", "", "not any more")
				}
				pub.say("SEND", strings.Replace(sub[0], "+", "x", 1), "persistent:true", "", "4")
				m = p.bodies("2", "3", "4")
				if m[0].header["redelivered"] != "true" || m[1].header["redelivered"] != "false" {
					t.Errorf("%v", m)
				}
				p.say("UNSUBSCRIBE", append([]string{"persistent:true", "receipt:u"}, headers...)...)
				p.receipts("u")
				p.say("SUBSCRIBE", append(sub[:2:2], headers...)...)
				p.none()
			})
		})
	}
}

func TestSTOMP_SubscriptionsAreLimited(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxSubscriptions = 2
	in(t, cfg, func(w *world) {
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		p.say("SUBSCRIBE", "id:2", "destination:/topic/a")
		p.none()
		p.say("SUBSCRIBE", "id:3", "destination:/topic/a")
		p.errorFrame("resource_error")
	})
}

func TestSTOMP_WhatIsNotOfferedIsRefusedByName(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		for _, h := range []string{"selector:a = 1", "browser:true", "x-priority:5", "x-stream-offset:first"} {
			p := w.connect("1.2")
			p.say("SUBSCRIBE", "id:1", "destination:/queue/a", h)
			p.errorFrame("not_implemented")
		}
	})
}

func TestSTOMP_ST44_ADeletedQueueEndsItsSubscriber(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2", "login:user", "passcode:secret")
		q := w.connect("1.2", "login:user", "passcode:secret")
		p.say("SUBSCRIBE", "id:d", "destination:/topic/a", "durable:true")
		q.say("SUBSCRIBE", "id:d", "destination:/topic/a", "durable:true")
		q.say("UNSUBSCRIBE", "id:d", "durable:true", "receipt:1")
		q.receipts("1")
		if f := p.errorFrame("Server cancelled subscription"); f.header["subscription"] != "d" {
			t.Errorf("%v", f)
		}
	})
}

func TestSTOMP_TempQueuesAreOfTheConnection(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p, q := w.connect("1.2"), w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/temp-queue/x")
		q.say("SEND", "destination:/temp-queue/x", "", "another queue of the same name")
		p.none()
		p.say("SEND", "destination:/temp-queue/x", "", "mine")
		p.bodies("mine")
	})
}

func TestSTOMP_NoLocalHoldsOwnMessagesBack(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a", "no-local:true")
		p.say("SEND", "destination:/topic/a", "", "own")
		w.connect("1.2").say("SEND", "destination:/topic/a", "", "other")
		p.bodies("other")
	})
}

func TestSTOMP_ST46_ADurableSubscriptionOutlivesTheServer(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		login := []string{"login:user", "passcode:secret"}
		sub := []string{"id:1", "destination:/topic/a.#.z", "durable:true", "ack:client", "receipt:s"}
		p := w.connect("1.2", login...)
		p.say("SUBSCRIBE", sub...)
		p.receipts("s")
		for _, body := range []string{"1", "2", "3"} {
			w.connect("1.2").say("SEND", "destination:/topic/a.b.c.z", "receipt:r", "k:v", "", body)
		}
		m := p.bodies("1", "2", "3")
		p.say("ACK", "id:"+m[0].header["ack"], "receipt:a")
		p.receipts("a")
		w.restart()
		p = w.connect("1.2", login...)
		p.say("SUBSCRIBE", sub[:4]...)
		if m := p.bodies("2", "3")[0]; m.header["k"] != "v" || m.header["destination"] != "/topic/a.b.c.z" || m.header["persistent"] != "true" {
			t.Errorf("%v", m)
		}
		w.connect("1.2").say("SEND", "destination:/topic/a.z", "", "4")
		p.bodies("4")
	})
}

func TestSTOMP_ST32_AQueueMayBeNamed(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p, q, pub := w.connect("1.2"), w.connect("1.2"), w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a.*", "x-queue-name:mine", "ack:client", "prefetch-count:1")
		pub.say("SEND", "destination:/topic/a.b", "", "1")
		pub.say("SEND", "destination:/queue/mine", "", "2")
		p.bodies("1")
		q.say("SUBSCRIBE", "id:1", "destination:/amq/queue/mine")
		if m := q.bodies("2")[0]; m.header["destination"] != "/queue/mine" {
			t.Errorf("%v", m)
		}
		q.say("UNSUBSCRIBE", "id:1")
		p.gone()
		w.settle()
		pub.say("SEND", "destination:/amq/queue/mine", "", "3") // it went with its last consumer
		pub.errorFrame("not_found")
	})
}

func TestSTOMP_ST72_EverythingInOneConnection(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2", "login:user", "passcode:secret")
		p.say("SEND", "destination:/topic/state/1", "retain:true", "", "kept")
		p.say("SUBSCRIBE", "id:r", "destination:/topic/state/#")
		p.say("SUBSCRIBE", "id:d", "destination:/topic/jobs.*", "durable:true", "ack:client-individual")
		p.say("SUBSCRIBE", "id:w", "destination:/topic/jobs/+", "ack:client-individual", "prefetch-count:1")
		p.say("SUBSCRIBE", "id:q", "destination:/queue/q", "x-bind:jobs/#")
		p.bodies("kept")
		p.say("SEND", "destination:/topic/jobs/1", "", "a")
		p.say("SEND", "destination:jobs/2", "", "b")
		seen := map[string]string{}
		for _, m := range p.frames() {
			seen[m.header["subscription"]] += m.body + " " + m.header["destination"] + ";"
		}
		for id, want := range map[string]string{
			"d": "a /topic/jobs.1;b /topic/jobs.2;", "w": "a /topic/jobs/1;", "q": "a /topic/jobs/1;b /topic/jobs/2;",
		} {
			if seen[id] != want {
				t.Errorf("%s: %q", id, seen[id])
			}
		}
	})
}

func TestSTOMP_ST58_TheRECEIPTOfASubscribeComesBeforeItsMessages(t *testing.T) {
	for name, sub := range map[string][]string{
		"durable":  {"destination:/topic/a", "id:1", "durable:true"},
		"queue":    {"destination:/queue/q", "id:1", "ack:client"},
		"bound":    {"destination:/queue/q", "id:1", "x-bind:b/+,c/+"},
		"retained": {"destination:/topic/r", "id:1"},
		"temp":     {"destination:/temp-queue/t", "id:1"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, DefaultConfig(), func(w *world) {
				p := w.connect("1.2")
				if name == "durable" {
					p.say("SUBSCRIBE", append(sub, "receipt:s")...)
					p.receipts("s")
					p.say("UNSUBSCRIBE", "id:1", "receipt:u")
					p.receipts("u")
				}
				p.say("SEND", sub[0], "receipt:m", "persistent:true", "retain:"+strconv.FormatBool(name == "retained"), "", "waits")
				p.receipts("m")
				p.say("SEND", "destination:/queue/other", "persistent:true", "receipt:o", "", "slow")
				p.say("SUBSCRIBE", append(sub, "receipt:r")...)
				got := p.frames()
				if len(got) != 3 || got[1].cmd != "RECEIPT" || got[1].header["receipt-id"] != "r" || got[2].body != "waits" {
					t.Fatalf("%v", got)
				}
				p.say("UNSUBSCRIBE", "id:1", "receipt:e")
				p.receipts("e")
			})
		})
	}
}
