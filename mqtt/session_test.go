package mqtt

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MC14_MC15_CleanStartEndsAndZeroResumes(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, keep(100))
		p.send(sub(1, "a", 1))
		p.recv()
		p.Drop()
		back, more := w.resumes("p", v5, keep(100))
		if len(more) > 0 {
			t.Errorf("behind CONNACK: %q", more)
		}
		back.send(pub("a", "x", 0, 0))
		back.want(`PUBLISH a "x"`) // the subscription is still there
		back.Drop()
		fresh := w.dial("p", v5, keep(100), clean)
		fresh.want("CONNACK " + announced)
		fresh.send(pub("a", "x", 0, 0))
		fresh.want()
	})
}

func TestMQTT_MC16_ASessionKeepsWhatWasQueuedForIt(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, keep(100))
		p.send(sub(1, "a", packet.NewOptions(2, false, true, 0), 9))
		p.recv()
		p.Drop()
		q := w.connect("q", v5)
		q.send(pub("a", "0", 0, 0), pub("a", "1", 1, 1), pub("a", "2", 2, 2))
		q.want("PUBACK #1", "PUBREC #2")
		_, got := w.resumes("p", v5, keep(100))
		if strings.Join(got, "|") != `PUBLISH q1 #2 a "1" id=9|PUBLISH q2 #3 a "2" id=9` {
			t.Errorf("got %q", got)
		}
	})
}

func TestMQTT_MC17_ASessionLivesForExactlyItsExpiry(t *testing.T) {
	run(t, nil, func(w *world) {
		w.connect("p", v5, keep(10)).Drop()
		w.Advance(9900 * time.Millisecond)
		back, _ := w.resumes("p", v5, keep(10))
		w.Advance(time.Hour) // while connected it never ends
		back.Drop()
		w.Advance(10*time.Second + 100*time.Millisecond)
		w.dial("p", v5, resume).want("CONNACK " + announced)
	})
}

func TestMQTT_MC17_WithoutExpiryTheSessionEndsAtTheClose(t *testing.T) {
	run(t, nil, func(w *world) {
		w.connect("p", v5, resume).Drop()
		w.dial("p", v5, resume).want("CONNACK " + announced)
	})
}

func TestMQTT_MC18_TheGrantedExpiryIsTold(t *testing.T) {
	run(t, &Config{SessionExpiryMax: time.Minute}, func(w *world) {
		w.dial("p", v5, num(packet.SessionExpiryInterval, 61)).want("CONNACK 11=60 " + announced)
		w.dial("q", v5, num(packet.SessionExpiryInterval, 1<<32-1)).want("CONNACK 11=60 " + announced)
		w.dial("r", v5, num(packet.SessionExpiryInterval, 60)).want("CONNACK " + announced)
	})
}

func TestMQTT_MC19_SessionsOf3xHaveTheirExpiry(t *testing.T) {
	run(t, &Config{V3SessionExpiry: time.Minute}, func(w *world) {
		w.connect("p", v311, resume).Drop()
		w.Advance(59 * time.Second)
		back, _ := w.resumes("p", v311)
		back.Drop()
		w.Advance(61 * time.Second)
		w.dial("p", v311, resume).want("CONNACK")
		w.connect("c", v311, clean).Drop()
		w.dial("c", v311, resume).want("CONNACK")
	})
}

func TestMQTT_MC23_ASessionSurvivesAChangeOfVersion(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, keep(100))
		p.send(sub(1, "a", packet.NewOptions(1, true, true, 0), 7))
		p.recv()
		p.Drop()
		old, _ := w.resumes("p", v311)
		q := w.connect("q", v5)
		q.send(with(pub("a", "x", 1, 1), setStr(packet.ContentType, "t"), user("k", "v")))
		old.want(`PUBLISH q1 #2 a "x"`)
		if w.count("mapping_dropped_total", "mqtt", "mqtt3", "content_type") != 1 || w.count("mapping_dropped_total", "mqtt", "mqtt3", "headers") != 1 {
			t.Error("the losses were not counted")
		}
		old.send(ack(packet.PUBACK, 2))
		old.Drop()
		back, _ := w.resumes("p", v5, keep(100))
		q.send(with(pub("a", "y", 0, 0), setStr(packet.ContentType, "t")))
		back.want(`PUBLISH a "y" 03=t id=7`) // identifier and options are still stored
	})
}
