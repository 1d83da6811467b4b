package mqttsn

import (
	"maps"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// subscribed connects "cl1" and subscribes to "a/b", id 0401, with QoS 2.
func (s *sim) subscribed(addr string) *device {
	s.Helper()
	d := s.at(addr).connect("cl1")
	d.ask("08 12 40 00 01 61 2f 62", "08 13 40 04 01 00 01 00")
	return d
}

func TestMQTTSN_O1_TopicIsNamedAsTheClientKnowsIt(t *testing.T) {
	simulate(t, Config{Predefined: map[uint16]string{7: "a/b"}}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").connect("cl1"), s.watch("")
		d.ask("08 12 00 00 01 61 2f 62", "08 13 00 04 01 00 01 00") // by name, and yet predefined
		d.ask("07 12 02 00 02 61 62", "08 13 00 00 00 00 02 00")    // by short name
		d.ask("08 12 00 00 03 78 2f 79", "08 13 00 04 02 00 03 00")
		w.publishQoS("a/b", "1", 0)
		w.publishQoS("ab", "2", 0)
		w.publishQoS("x/y", "3", 0)
		d.want("08 0c 01 00 07 00 00 31", "08 0c 02 61 62 00 00 32", "08 0c 00 04 02 00 00 33")
	})
}

func TestMQTTSN_O2_QoSIsTheLowerOfMessageAndSubscription(t *testing.T) {
	simulate(t, Config{MaxInflight: 16}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").connect("cl1"), s.watch("")
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		w.publishQoS("a/b", "0", 0)
		w.publishQoS("a/b", "1", 1)
		w.publishQoS("a/b", "2", 2)
		d.want("08 0c 00 04 01 00 00 30", "08 0c 20 04 01 00 01 31", "08 0c 20 04 01 00 02 32")
	})
}

func TestMQTTSN_O3_OneMessageInFlight(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publishQoS("a/b", "1", 1)
		w.publishQoS("a/b", "2", 2)
		w.publishQoS("a/b", "3", 1)
		d.want("08 0c 20 04 01 00 01 31")
		d.ask("07 0d 04 01 00 01 00", "08 0c 40 04 01 00 03 32")
		d.ask("04 0f 00 03", "04 10 00 03") // an open PUBREL counts
		d.ask("04 0e 00 03", "08 0c 20 04 01 00 02 33")
		d.ask("07 0d 04 01 00 02 00")
		w.publishQoS("a/b", "4", 0)
		d.want("08 0c 00 04 01 00 00 34")
	})
}

func TestMQTTSN_O3_QoS0Passes(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publishQoS("a/b", "1", 1)
		w.publishQoS("a/b", "2", 0)
		d.want("08 0c 20 04 01 00 01 31", "08 0c 00 04 01 00 00 32")
	})
}

func TestMQTTSN_O3_ManyOfQoS0PassOneInFlight(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publishQoS("a/b", "1", 1)
		for range 100 {
			w.publishQoS("a/b", "0", 0)
		}
		d.put(packet.Connect{ProtocolID: 1, Duration: 60, ClientID: []byte("cl1")})
		if n := len(d.take()); n != 102 {
			t.Errorf("%d datagrams, want CONNACK and 101 messages", n)
		}
	})
}

func TestMQTTSN_O3_WiderWindow(t *testing.T) {
	simulate(t, Config{MaxInflight: 2}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "1")
		w.publish("a/b", "2")
		w.publish("a/b", "3")
		d.want("08 0c 20 04 01 00 01 31", "08 0c 20 04 01 00 02 32")
		d.ask("07 0d 04 01 00 02 00", "08 0c 20 04 01 00 03 33")
	})
}

func TestMQTTSN_O4_RetransmissionThenLost(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("")
		d.reconnect("cl1").want(connack)
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		w.publish("a/b", "x")
		d.want("08 0c 20 04 01 00 01 78")
		again := "08 0c a0 04 01 00 01 78"
		s.sleep(9 * time.Second)
		d.want()
		s.sleep(31 * time.Second)
		d.want(again, again, again, again)
		s.sleep(10 * time.Second)
		d.want()
		if s.e.peers.len() != 0 {
			t.Fatal("not lost")
		}
		d.reconnect("cl1").want(connack, "09 0a 04 01 00 01 61 2f 62") // the message is still queued
		d.ask("07 0b 04 01 00 01 00", "08 0c a0 04 01 00 02 78")
		s.wantCount(4, "mqttsn_retransmissions_total", "PUBLISH")
	})
}

func TestMQTTSN_O4_AfterPubrecOnlyPubrelIsRepeated(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publishQoS("a/b", "x", 2)
		d.want("08 0c 40 04 01 00 02 78")
		d.ask("04 0f 00 02", "04 10 00 02")
		d.ask("04 0f 00 02", "04 10 00 02")
		s.sleep(20 * time.Second)
		d.want("04 10 00 02", "04 10 00 02")
		d.ask("04 0e 00 02")
		s.sleep(20 * time.Second)
		d.want()
	})
}

func TestMQTTSN_O4_ReleaseOfAResumedSession(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("")
		d.reconnect("cl1").want(connack)
		d.ask("07 12 42 00 01 61 62", "08 13 40 00 00 00 01 00")
		w.publishQoS("ab", "x", 2)
		d.want("08 0c 42 61 62 00 02 78")
		d.ask("04 0f 00 02", "04 10 00 02")
		d.ask("02 18", "02 18")
		d.reconnect("cl1").want(connack, "04 10 00 02")
		d.ask("04 0e 00 02")
	})
}

func TestMQTTSN_O4_QoS2KeepsItsMessageIDThroughAKill(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("")
		d.reconnect("cl1").want(connack)
		d.ask("07 12 42 00 01 61 62", "08 13 40 00 00 00 01 00")
		w.publishQoS("ab", "1", 2)
		d.want("08 0c 42 61 62 00 02 31")
		d.ask("04 0f 00 02", "04 10 00 02")
		d.ask("04 0e 00 02")
		d.ask("04 18 00 64", "02 18")
		w.publishQoS("ab", "2", 2)
		before := &mapStore{m: maps.Clone(s.store.m)} // a kill before anything of the delivery was written
		d.ask(wakeCl1, "08 0c 42 61 62 00 03 32")
		d.ask("04 0f 00 03", "04 10 00 03")
		s.store = before
		s.restart()
		d.reconnect("cl1").want(connack, "08 0a 04 01 00 01 61 62")
		d.ask("07 0b 04 01 00 01 00", "08 0c c0 04 01 00 03 32") // by the id that the client knows
	})
}

func TestMQTTSN_O4_ReleaseOfASessionThatMQTTBegan(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		other, w := &watcher{s: s}, s.watch("")
		s.do(func() { // MQTT took the message and saw PUBREC for the identifier 2, which follows from the number 1
			other.session, _ = s.router.Attach(s.turn, core.Client{ID: "cl1", Protocol: "mqtt", Expiry: time.Hour}, other)
		})
		s.do(func() {
			other.session.Subscribe(s.turn, []core.Subscription{{Filter: "ab", QoS: 2}}, nil)
		})
		w.publishQoS("ab", "x", 2)
		s.do(func() {
			c := other.session.Inbox()
			c.Take(s.turn, make([]core.Delivery, 0, 1), 1) // asks the store
		})
		s.do(func() {
			c := other.session.Inbox()
			d := c.Take(s.turn, make([]core.Delivery, 0, 1), 1)[0]
			c.Settle(s.turn, d.Seq, core.Received)
		})
		s.do(func() { other.session.Detach(s.turn, core.ConnectionLost) })
		d := s.at("10.0.0.1:1000")
		d.reconnect("cl1").want(connack, "04 10 00 02")
		d.ask("04 0e 00 02")
	})
}

func TestMQTTSN_O5_MessageAboveTheMTUIsDropped(t *testing.T) {
	simulate(t, Config{MTU: 64}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", string(make([]byte, 58)))
		w.publish("a/b", "x")
		d.want("08 0c 20 04 01 00 01 78")
		w.publishQoS("a/b", string(make([]byte, 57)), 0) // 64 octets in all
		if got := d.take(); len(got) != 1 || len(got[0]) != 64 {
			t.Errorf("% x", got)
		}
		s.wantCount(1, "messages_dropped_total", Name, "too_large")
	})
}

func TestMQTTSN_O6_CongestedClientIsAskedAgainLater(t *testing.T) {
	simulate(t, Config{CongestionWait: 20 * time.Second}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		d.want("08 0c 20 04 01 00 01 78")
		d.ask("07 0d 04 01 00 01 01")
		s.sleep(19 * time.Second)
		d.want()
		s.sleep(time.Second)
		d.want("08 0c a0 04 01 00 01 78")
	})
}

func TestMQTTSN_O6_RefusedMessageIsDropped(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		w.publish("a/b", "y")
		d.want("08 0c 20 04 01 00 01 78")
		d.ask("07 0d 04 01 00 01 03", "08 0c 20 04 01 00 02 79")
		s.wantCount(1, "messages_dropped_total", Name, "refused")
	})
}

func TestMQTTSN_O7_MessageIDsAreOurOwnAndNeverInFlight(t *testing.T) {
	t.Parallel()
	o := outbound{list: []outgoing{{mid: 1, phase: sent}, {mid: 3, phase: released}}}
	o.registering = registering{id: firstID, mid: 2}
	if a, b := o.mid(0xFFFE), o.mid(0xFFFF); a != 0xFFFF || b != 4 {
		t.Errorf("mids %d and %d, want 65535 and 4", a, b)
	}
}

func TestMQTTSN_O8_UnknownAcknowledgements(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("04 0f 00 09", "04 10 00 09")
		d.ask("04 0e 00 09")
		d.ask("07 0d 04 01 00 09 00")
		d.ask("07 0b 04 01 00 09 00")
	})
}

func TestExpiredMessageIsNotDelivered(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.wild("10.0.0.1:1000"), s.watch("")
		s.do(func() {
			mt, _ := w.session.Route(s.turn, []byte("a/b"))
			m := core.NewMessage([]byte("x"))
			m.Topic, m.QoS, m.Expires = "a/b", 1, s.turn.Now.After(5*time.Second)
			w.session.Publish(s.turn, mt, m)
		})
		d.want("09 0a 04 01 00 01 61 2f 62")
		s.sleep(6 * time.Second)
		d.ask("07 0b 04 01 00 01 00")
		s.wantCount(1, "messages_dropped_total", Name, "expired")
	})
}

func TestFieldsThatMQTTSNLacksAreCounted(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		s.do(func() {
			mt, _ := w.session.Route(s.turn, []byte("a/b"))
			m := core.NewMessage([]byte("x"))
			m.Topic, m.Origin = "a/b", "test"
			m.Meta = &core.Meta{ContentType: "text/plain", Headers: []core.Header{{Name: "k"}}}
			w.session.Publish(s.turn, mt, m)
		})
		d.want("08 0c 00 04 01 00 00 78")
		s.wantCount(1, "mapping_dropped_total", "test", Name, "content_type")
		s.wantCount(1, "mapping_dropped_total", "test", Name, "headers")
	})
}

func TestDeliveryOfManyMessagesKeepsTheirOrder(t *testing.T) {
	simulate(t, Config{MaxInflight: 4, Queue: 1000}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		for i := range 500 {
			w.publishQoS("a/b", string([]byte{byte(i >> 8), byte(i)}), uint8(i%3))
		}
		next := 0
		for next < 500 {
			got := d.take()
			if len(got) == 0 {
				t.Fatalf("stuck at %d", next)
			}
			for _, b := range got {
				switch p, _ := packet.Parse(b); p := p.(type) {
				case packet.Publish:
					if i := int(p.Data[0])<<8 | int(p.Data[1]); i != next {
						t.Fatalf("message %d, want %d", i, next)
					}
					next++
					switch p.QoS {
					case 1:
						d.put(packet.TopicAck{Of: packet.PUBACK, TopicID: p.TopicID, MsgID: p.MsgID})
					case 2:
						d.put(packet.Ack{Of: packet.PUBREC, MsgID: p.MsgID})
					}
				case packet.Ack:
					d.put(packet.Ack{Of: packet.PUBCOMP, MsgID: p.MsgID})
				}
			}
		}
	})
}
