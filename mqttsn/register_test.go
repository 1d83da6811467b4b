package mqttsn

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

func TestMQTTSN_R1_RegisterGivesAnID(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("cl1").ask("09 0a 00 00 00 02 61 2f 62", "07 0b 04 01 00 02 00")
	})
}

func TestMQTTSN_R2_SameNameHasTheSameID(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("09 0a 00 00 00 02 61 2f 62", "07 0b 04 01 00 02 00")
		d.ask("09 0a 00 00 00 03 61 2f 62", "07 0b 04 01 00 03 00")
		d.ask("09 0a 00 00 00 04 61 2f 63", "07 0b 04 02 00 04 00")
	})
}

func TestMQTTSN_R3_BadNamesAreRefused(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		for _, name := range []string{"09 0a 00 00 00 02 61 2f 2b", "09 0a 00 00 00 02 61 2f 23", "06 0a 00 00 00 02", "07 0a 00 00 00 02 00", "08 0a 00 00 00 02 61 0a", "09 0a 00 00 00 02 61 c2 85"} {
			d.ask(name, "07 0b 00 00 00 02 03")
		}
	})
}

func TestMQTTSN_R4_IDsArePerClientAndNeverReserved(t *testing.T) {
	var r topics
	seen := map[uint16]bool{}
	for i := range 70000 {
		e, ok := r.add(fmt.Sprint(i), false, 100)
		if !ok || e.id <= maxPredefined || e.id == 0xFFFF {
			t.Fatalf("name %d got the id %04x", i, e.id)
		}
		seen[e.id] = true
		if r.count() > 100 {
			t.Fatalf("%d names, limit 100", r.count())
		}
	}
	if len(seen) != 0xFFFE-maxPredefined {
		t.Errorf("%d ids were used", len(seen))
	}
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("cl1").ask("09 0a 00 00 00 02 61 2f 62", "07 0b 04 01 00 02 00")
		s.at("10.0.0.2:1000").connect("cl2").ask("09 0a 00 00 00 02 61 2f 63", "07 0b 04 01 00 02 00")
	})
}

func TestMQTTSN_R5_FullTableIsRefused(t *testing.T) {
	simulate(t, Config{MaxTopics: 1}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("09 0a 00 00 00 02 61 2f 62", "07 0b 04 01 00 02 00")
		d.ask("09 0a 00 00 00 03 61 2f 63", "07 0b 00 00 00 03 03")
		d.ask("09 0a 00 00 00 04 61 2f 62", "07 0b 04 01 00 04 00")
	})
}

// wild connects a client that is subscribed to "#" with QoS 1.
func (s *sim) wild(addr string) *device {
	s.Helper()
	d := s.at(addr).connect("cl1")
	d.ask("06 12 20 00 01 23", "08 13 20 00 00 00 01 00")
	return d
}

func TestMQTTSN_R6_RegisterBeforeTheFirstPublishOfATopic(t *testing.T) {
	for _, x := range []struct {
		name, regack string
		then         []string
		again        time.Duration
	}{
		{"accepted", "07 0b 04 01 00 01 00", []string{"08 0c 20 04 01 00 02 78"}, 0},
		{"invalid id: dropped", "07 0b 04 01 00 01 02", nil, 0},
		{"not supported: dropped", "07 0b 04 01 00 01 03", nil, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			simulate(t, Config{}, func(s *sim) {
				d, w := s.wild("10.0.0.1:1000"), s.watch("")
				w.publish("a/b", "x")
				d.want("09 0a 04 01 00 01 61 2f 62")
				d.ask(x.regack, x.then...)
				d.ask("02 16", "02 17")
			})
		})
	}
}

func TestMQTTSN_R6_CongestedRegisterIsRepeatedAfterTheWait(t *testing.T) {
	simulate(t, Config{CongestionWait: 20 * time.Second}, func(s *sim) {
		d, w := s.wild("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		d.want("09 0a 04 01 00 01 61 2f 62")
		d.ask("07 0b 04 01 00 01 01")
		s.sleep(19 * time.Second)
		d.want()
		s.sleep(time.Second)
		d.want("09 0a 04 01 00 02 61 2f 62")
		d.ask("07 0b 04 01 00 02 00", "08 0c 20 04 01 00 03 78")
	})
}

func TestMQTTSN_R6_UnansweredRegisterIsRepeatedThenItsMessagesDropped(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.wild("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		w.publish("c/d", "y")
		reg := "09 0a 04 01 00 01 61 2f 62"
		s.sleep(40 * time.Second)
		d.want(reg, reg, reg, reg, reg)
		d.ask("02 16", "02 17")
		s.sleep(10 * time.Second)
		d.want("09 0a 04 02 00 02 63 2f 64") // on to the next topic
		d.ask("07 0b 04 02 00 02 00", "08 0c 20 04 02 00 03 79")
		s.wantCount(1, "messages_dropped_total", Name, "unregistered")
		s.wantCount(4, "mqttsn_retransmissions_total", "REGISTER")
	})
}

func TestMQTTSN_R7_OtherTopicsNeedNotWaitForARegister(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.wild("10.0.0.1:1000"), s.watch("")
		d.ask("09 0a 00 00 00 02 6b 2f 6e", "07 0b 04 01 00 02 00") // "k/n" is known
		w.publish("a/b", "1")
		w.publish("c/d", "2")
		w.publish("k/n", "3")
		w.publish("a/b", "4")
		d.want("09 0a 04 02 00 01 61 2f 62", "08 0c 20 04 01 00 02 33") // one REGISTER, and the known topic
		d.ask("07 0d 04 01 00 02 00")
		d.ask("07 0b 04 02 00 01 00", "08 0c 20 04 02 00 03 31", "09 0a 04 03 00 04 63 2f 64")
		d.ask("07 0d 04 02 00 03 00", "08 0c 20 04 02 00 05 34") // order per topic is kept
		d.ask("07 0b 04 03 00 04 00")
		d.ask("07 0d 04 02 00 05 00", "08 0c 20 04 03 00 06 32")
	})
}

func TestMQTTSN_R8_ClientThatForgotAnIDIsToldAgain(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").connect("cl1"), s.watch("")
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		w.publish("a/b", "x")
		d.want("08 0c 20 04 01 00 01 78")
		d.ask("07 0d 04 01 00 01 02", "09 0a 04 01 00 02 61 2f 62")
		d.ask("07 0b 04 01 00 02 00", "08 0c 20 04 01 00 03 78") // a new mid
		d.ask("07 0d 04 01 00 03 00")
	})
}

func TestMQTTSN_R8_ClientThatNeverLearnsAnIDLosesTheMessage(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").connect("cl1"), s.watch("")
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		w.publish("a/b", "x")
		for n := byte(1); n <= 5; n += 2 {
			d.take()
			d.put(packet.TopicAck{Of: packet.PUBACK, TopicID: 0x0401, MsgID: uint16(n), Code: packet.InvalidTopicID})
			d.want(spaced([]byte{9, 0x0a, 4, 1, 0, n + 1, 0x61, 0x2f, 0x62}))
			d.put(packet.TopicAck{Of: packet.REGACK, TopicID: 0x0401, MsgID: uint16(n + 1)})
		}
		d.want("08 0c 20 04 01 00 07 78")
		d.ask("07 0d 04 01 00 07 02")
		s.wantCount(1, "messages_dropped_total", Name, "refused")
	})
}

func TestMQTTSN_R9_TopicIDInAClientsRegisterIsIgnored(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("cl1").ask("09 0a 12 34 00 02 61 2f 62", "07 0b 04 01 00 02 00")
	})
}

func TestTopicsThatTheClientAskedForAreKept(t *testing.T) {
	t.Parallel()
	var r topics
	own, _ := r.add("own", true, 2)
	id := own.id
	first, _ := r.add("1", false, 2)
	dropped := first.id
	second, ok := r.add("2", false, 2)
	if !ok || second.id == dropped || has(&r, "1") {
		t.Errorf("the id %04x was used again for another name", second.id)
	}
	if name, ok := r.byID(id); !ok || string(name.name) != "own" {
		t.Error("the client's own id was dropped")
	}
	if _, ok := r.add("3", true, 1); ok {
		t.Error("a full table took one more")
	}
}

// has tells whether a name has an id.
func has(r *topics, name string) bool {
	_, ok := r.find(name)
	return ok
}

func BenchmarkTopicByID(b *testing.B) {
	var r topics
	for i := range 128 {
		r.add(fmt.Sprintf("plant/line/%d/temperature", i), true, 128)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.byID(firstID + 127); !ok {
			b.Fatal("lost")
		}
	}
}
