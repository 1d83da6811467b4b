package mqtt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MG1_MM27_FormsOfSharedSubscriptions(t *testing.T) {
	run(t, nil, func(w *world) {
		bad := []string{"$share/g", "$share//f", "$share/g/", "$share/g#/f", "$share/+/f", "$share/", "$share/g/$share/h/f", "$share/g/$queue/q"}
		p := w.connect("p", v5)
		p.send(subs(1, append(bad, "$share/g/f/#")...))
		p.want("SUBACK #1" + strings.Repeat(" 8f", len(bad)) + " 01")
		q := w.connect("q", v311)
		q.send(subs(1, bad...))
		q.want("SUBACK #1" + strings.Repeat(" 80", len(bad)))
	})
}

func TestMQTT_MG2_MG3_EachMessageGoesToOneMember(t *testing.T) {
	run(t, nil, func(w *world) {
		var members []*peer
		for i := range 3 {
			m := w.connect(fmt.Sprint("m", i), v5)
			m.send(sub(1, "$share/g/a/#", packet.Options(i), uint32(i+1)))
			m.recv()
			members = append(members, m)
		}
		p := w.connect("p", v5)
		for i := range 30 {
			p.send(pub("a/b", fmt.Sprint(i), 2, uint16(i+1)))
			p.send(ack(packet.PUBREL, uint16(i+1)))
		}
		total := 0
		for i, m := range members {
			got := m.packets()
			total += len(got)
			if len(got) == 0 {
				t.Errorf("member %d got nothing", i)
			}
			for _, x := range got {
				x := x.(*packet.Publish)
				if x.QoS != byte(i) || x.Properties.SubscriptionIDs[0] != uint32(i+1) {
					t.Errorf("member %d got %s", i, show(x))
				}
			}
		}
		if total != 30 {
			t.Errorf("%d deliveries of 30", total)
		}
	})
}

func TestMQTT_MG4_QoS1OfAMemberThatLeavesGoesToAnother(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5)
		a.send(sub(1, "$share/g/t", 1))
		a.recv()
		w.connect("p", v5).send(pub("t", "x", 1, 1))
		if got := a.recv(); len(got) != 1 {
			t.Fatalf("got %q", got)
		}
		b := w.connect("b", v5)
		b.send(sub(1, "$share/g/t", 1))
		b.want("SUBACK #1 01")
		a.Drop()
		got := b.packets()
		if len(got) != 1 || got[0].(*packet.Publish).Dup { // DUP 0: this client sees it for the first time
			t.Fatalf("got %v", got)
		}
		if w.count("mqtt_group_handovers_total") != 1 {
			t.Error("not counted")
		}
	})
}

func TestMQTT_MG4_QoS2ThatWasSentStaysWithItsMember(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5, keep(100))
		a.send(sub(1, "$share/g/t", 2))
		a.recv()
		p := w.connect("p", v5)
		p.send(pub("t", "x", 2, 1), pub("t", "y", 2, 2))
		sent := a.packets()
		if len(sent) != 2 {
			t.Fatalf("got %d", len(sent))
		}
		id := sent[0].(*packet.Publish).ID
		a.send(ack(packet.PUBREC, id))
		a.want(fmt.Sprintf("PUBREL #%d", id))
		b := w.connect("b", v5)
		b.send(sub(1, "$share/g/t", 2))
		b.recv()
		a.Drop()
		b.want()
		_, got := w.resumes("a", v5, keep(100))
		want := fmt.Sprintf(`PUBREL #%d|PUBLISH q2 #%d dup t "y"`, id, sent[1].(*packet.Publish).ID)
		if strings.Join(got, "|") != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestMQTT_MG5_ARefusedGroupMessageIsNotOfferedAgain(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5)
		a.send(sub(1, "$share/g/t", 1))
		a.recv()
		w.connect("p", v5).send(pub("t", "x", 1, 1))
		id := a.packets()[0].(*packet.Publish).ID
		b := w.connect("b", v5)
		b.send(sub(1, "$share/g/t", 1))
		b.recv()
		a.send(ack(packet.PUBACK, id, packet.QuotaExceeded))
		a.want()
		b.want()
	})
}

func TestMQTT_MG6_AGroupEndsWithItsLastMember(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5, keep(100))
		a.send(sub(1, "$share/g/t", 1))
		a.recv()
		a.Drop()
		p := w.connect("p", v5)
		p.send(pub("t", "waits", 1, 1)) // a durable member is away: it waits
		p.want("PUBACK #1")
		a, got := w.resumes("a", v5, keep(100))
		if len(got) != 1 {
			t.Errorf("got %q", got)
		}
		a.send(unsub(2, "$share/g/t"))
		a.recv()
		p.send(pub("t", "lost", 1, 2))
		p.want("PUBACK #2 10")
	})
}

func TestMQTT_MG7_AStalledMemberGetsNone(t *testing.T) {
	run(t, nil, func(w *world) {
		full := w.connect("full", v5, num(packet.ReceiveMaximum, 1))
		full.send(sub(1, "$share/g/t", 1))
		full.recv()
		ok := w.connect("ok", v5)
		ok.send(sub(1, "$share/g/t", 1))
		ok.recv()
		p := w.connect("p", v5)
		n := 0
		for i := range 20 {
			p.send(pub("t", "x", 1, uint16(i+1)))
			for _, x := range ok.packets() {
				ok.send(ack(packet.PUBACK, x.(*packet.Publish).ID))
				n++
			}
		}
		if stuck := len(full.recv()); stuck != 1 || n != 19 {
			t.Errorf("full got %d, ok got %d", stuck, n)
		}
	})
}
