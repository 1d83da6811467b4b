package mqttsn

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

const (
	wakeCl1  = "05 16 63 6c 31"
	pingresp = "02 17"
)

// sleeping is "cl1", subscribed to "a/b" as 0401 with QoS 2, asleep for 30 s.
func (s *sim) sleeping(addr string) *device {
	s.Helper()
	d := s.subscribed(addr)
	d.ask("04 18 00 1e", "02 18")
	return d
}

func TestMQTTSN_K6_WhoSleepsHoldsNothingOfItsGroup(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		w := s.watch("")
		a, b := s.at("10.0.0.1:1000").connect("cl1"), s.at("10.0.0.2:1000").connect("cl2")
		for _, d := range []*device{a, b} { // "$share/g/a/b"
			d.ask("11 12 20 00 01 24 73 68 61 72 65 2f 67 2f 61 2f 62", "08 13 20 00 00 00 01 00")
		}
		b.ask("09 0a 00 00 00 02 61 2f 62", "07 0b 04 01 00 02 00")
		a.ask("04 18 00 1e", "02 18")
		for i, data := range []string{"1", "2"} { // a slept longest hungry: the first was for it
			w.publish("a/b", data)
			b.want(fmt.Sprintf("08 0c 20 04 01 00 %02x 3%s", i+1, data))
			b.ask(fmt.Sprintf("07 0d 04 01 00 %02x 00", i+1))
		}
		a.ask(wakeCl1, pingresp)
		b.ask("04 18 00 1e", "02 18")
		w.publish("a/b", "3") // nobody is there: it waits for who wakes first
		a.ask(wakeCl1, "09 0a 04 01 00 01 61 2f 62")
		a.ask("07 0b 04 01 00 01 00", "08 0c 20 04 01 00 02 33")
		a.ask("07 0d 04 01 00 02 00", pingresp)
	})
}

func TestMQTTSN_K1_SilentClientIsLost(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		s.sleep(89 * time.Second)
		d.ask("02 16", pingresp)
		s.sleep(89 * time.Second)
		if s.e.peers.len() != 1 {
			t.Fatal("lost too early")
		}
		s.sleep(time.Second)
		if s.e.peers.len() != 0 {
			t.Fatal("not lost")
		}
		d.want()
	})
}

func TestMQTTSN_K2_PingIsAnsweredAndAnyPacketResetsTheTimer(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("02 16", pingresp)
		d.ask(wakeCl1, pingresp) // its own id, while active
		s.sleep(89 * time.Second)
		d.ask("04 0e 00 09")
		s.sleep(89 * time.Second)
		d.ask("02 16", pingresp)
	})
}

func TestMQTTSN_K3_ProbeBeforeLost(t *testing.T) {
	simulate(t, Config{ProbeBeforeLost: true}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		s.sleep(60 * time.Second)
		d.want("02 16")
		d.ask("02 17")
		s.sleep(60 * time.Second)
		d.want("02 16")
		s.sleep(30 * time.Second)
		if s.e.peers.len() != 0 {
			t.Fatal("not lost")
		}
	})
}

func TestMQTTSN_K4_Disconnect(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("02 18", "02 18")
		if s.e.peers.len() != 0 || s.e.holders() != 0 {
			t.Error("the client is still there")
		}
	})
}

func TestMQTTSN_K5_DisconnectWithDurationIsSleep(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("04 18 00 1e", "02 18")
		if s.e.first("cl1").state != asleep {
			t.Error("not asleep")
		}
		e := s.at("10.0.0.2:1000").connect("cl2")
		e.ask("04 18 00 00", "02 18") // a duration of 0 is a plain disconnect
		if s.e.first("cl2") != nil {
			t.Error("asleep for 0 s")
		}
		s.at("10.0.0.3:1000").ask("02 18", "02 18") // an unknown address
		s.at("10.0.0.3:1000").ask("04 18 00 1e", "02 18")
	})
}

func TestMQTTSN_K6_NothingIsSentToASleepingClient(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "1")
		d.want("08 0c 20 04 01 00 01 31")
		d.ask("04 18 00 64", "02 18") // with one in flight
		w.publish("a/b", "2")
		s.sleep(149 * time.Second)
		d.want()
		d.ask(wakeCl1, "08 0c a0 04 01 00 01 31")
		d.ask("07 0d 04 01 00 01 00", "08 0c 20 04 01 00 02 32")
		d.ask("07 0d 04 01 00 02 00", pingresp)
	})
}

func TestMQTTSN_K6_SleepingClientThatIsEvictedHearsNothing(t *testing.T) {
	simulate(t, Config{Roaming: "off"}, func(s *sim) {
		a, b := s.sleeping("10.0.0.1:1000"), s.at("10.0.0.2:1000")
		b.ask(connectCl1, connack)
		a.want()
	})
}

func TestMQTTSN_K7_MessagesAreBufferedOldestDroppedFirst(t *testing.T) {
	simulate(t, Config{Queue: 2, QueueQoS0: 3}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		for i, payload := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
			w.publishQoS("a/b", payload, uint8(i%2))
		}
		// Of 1, 3, 5, 7 (QoS 0) the first is dropped, of 2, 4, 6, 8 the first two; the rest comes as it was sent.
		d.ask(wakeCl1, "08 0c 00 04 01 00 00 33", "08 0c 00 04 01 00 00 35", "08 0c 20 04 01 00 01 36", "08 0c 00 04 01 00 00 37")
		d.ask("07 0d 04 01 00 01 00", "08 0c 20 04 01 00 02 38")
		d.ask("07 0d 04 01 00 02 00", pingresp)
	})
}

func TestMQTTSN_K7_AFloodOfOneKindCostsTheOtherNothing(t *testing.T) {
	first0, first1 := "08 0c 00 04 01 00 00 78", "08 0c 20 04 01 00 01 78"
	for name, x := range map[string]struct {
		flood uint8
		wake  []string
	}{
		"QoS 0": {0, append([]string{first1}, slices.Repeat([]string{"08 0c 00 04 01 00 00 79"}, 10)...)},
		"QoS 1": {1, []string{first0, "08 0c 20 04 01 00 01 79"}}, // the others follow its PUBACK
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, Config{Queue: 10, QueueQoS0: 10}, func(s *sim) {
				d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
				w.publishQoS("a/b", "x", 1-x.flood)
				for range 1000 {
					w.publishQoS("a/b", "y", x.flood)
				}
				d.ask(wakeCl1, x.wake...)
				if got := s.router.Stats().Dropped[core.DropQueueFull]; got != 990 {
					t.Errorf("%d dropped", got)
				}
				var told []string
				s.router.Refused(func(_ string, l core.Limit, n uint64) { told = append(told, fmt.Sprint(l, " ", n)) })
				if want := map[uint8]string{0: "[queue_qos0 990]", 1: "[queue 990]"}[x.flood]; fmt.Sprint(told) != want {
					t.Errorf("limits %v, want %v", told, want)
				}
			})
		})
	}
}

func TestMQTTSN_K7_AnAwakeClientHasOneBound(t *testing.T) {
	simulate(t, Config{Queue: 10, QueueQoS0: 1}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publishQoS("a/b", "1", 1)
		d.ask(connectCl1, connack, "08 0c 20 04 01 00 01 31") // active, with one in flight
		for _, payload := range []string{"2", "3"} {
			w.publishQoS("a/b", payload, 1)
			w.publishQoS("a/b", payload, 0)
		}
		d.ask("07 0d 04 01 00 01 00", "08 0c 20 04 01 00 02 32", "08 0c 00 04 01 00 00 32")
		d.ask("07 0d 04 01 00 02 00", "08 0c 20 04 01 00 03 33", "08 0c 00 04 01 00 00 33")
	})
}

func TestMQTTSN_K8_SleeperThatNeverWakesIsLost(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.sleeping("10.0.0.1:1000") // 30 s; the keep-alive of 60 s is suspended
		s.sleep(44 * time.Second)
		if s.e.peers.len() != 1 {
			t.Fatal("lost too early")
		}
		s.sleep(time.Second)
		if s.e.peers.len() != 0 {
			t.Fatal("not lost")
		}
	})
}

func TestMQTTSN_K8_SleepLongerThanTheKeepAlive(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.subscribed("10.0.0.1:1000")
		d.ask("04 18 0e 10", "02 18") // one hour
		s.sleep(89 * time.Minute)
		d.ask(wakeCl1, pingresp)
	})
}

func TestMQTTSN_K9_WakeDeliversInOrderAcrossTopicsThenPingresp(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.wild("10.0.0.1:1000"), s.watch("")
		d.ask("04 18 00 1e", "02 18")
		w.publishQoS("a/b", "1", 1)
		w.publishQoS("c/d", "2", 0)
		w.publishQoS("a/b", "3", 0)
		w.publishQoS("c/d", "4", 1)
		d.ask(wakeCl1, "09 0a 04 01 00 01 61 2f 62")
		d.ask("07 0b 04 01 00 01 00", "08 0c 20 04 01 00 02 31", "09 0a 04 02 00 03 63 2f 64")
		d.ask("07 0d 04 01 00 02 00")
		d.ask("07 0b 04 02 00 03 00", "08 0c 00 04 02 00 00 32", "08 0c 00 04 01 00 00 33", "08 0c 20 04 02 00 04 34")
		d.ask("07 0d 04 02 00 04 00", pingresp)
		s.wantCount(1, "mqttsn_wakes_total", "delivered")
		s.sleep(44 * time.Second) // the sleep timer started again
		d.ask(wakeCl1, pingresp)
	})
}

func TestMQTTSN_K10_SilenceWhileAwakeIsNoLoss(t *testing.T) {
	simulate(t, Config{RetryInterval: time.Second, MaxRetries: 2}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		again := "08 0c a0 04 01 00 01 78"
		d.ask(wakeCl1, "08 0c 20 04 01 00 01 78")
		s.sleep(3 * time.Second)
		d.want(again, again)
		if s.e.first("cl1").state != asleep {
			t.Fatal("not asleep again")
		}
		s.sleep(30 * time.Second)
		d.ask(wakeCl1, again)
		d.ask("07 0d 04 01 00 01 00", pingresp)
	})
}

func TestMQTTSN_K10_SilenceToARegisterWhileAwakeKeepsTheMessage(t *testing.T) {
	simulate(t, Config{RetryInterval: time.Second, MaxRetries: 1}, func(s *sim) {
		d, w := s.wild("10.0.0.1:1000"), s.watch("")
		d.ask("04 18 00 1e", "02 18")
		w.publish("a/b", "x")
		d.ask(wakeCl1, "09 0a 04 01 00 01 61 2f 62")
		s.sleep(2 * time.Second)
		d.want("09 0a 04 01 00 01 61 2f 62")
		d.ask(wakeCl1, "09 0a 04 01 00 02 61 2f 62")
		d.ask("07 0b 04 01 00 02 00", "08 0c 20 04 01 00 03 78")
		d.ask("07 0d 04 01 00 03 00", pingresp)
	})
}

func TestMQTTSN_K14_K15_DisconnectWhileAsleep(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.sleeping("10.0.0.1:1000")
		s.sleep(40 * time.Second)
		d.ask("04 18 00 64", "02 18")
		s.sleep(149 * time.Second)
		d.ask("02 18", "02 18")
		if s.e.peers.len() != 0 {
			t.Error("not disconnected")
		}
	})
}

func TestMQTTSN_K16_WakeWithAnEmptyBuffer(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.sleeping("10.0.0.1:1000")
		d.ask(wakeCl1, pingresp)
		s.wantCount(1, "mqttsn_wakes_total", "empty")
	})
}

func TestMQTTSN_K17_MaxAwakeMessages(t *testing.T) {
	simulate(t, Config{MaxAwakeMessages: 2}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		for _, payload := range []string{"1", "2", "3"} {
			w.publish("a/b", payload)
		}
		d.ask(wakeCl1, "08 0c 20 04 01 00 01 31")
		d.ask("07 0d 04 01 00 01 00", "08 0c 20 04 01 00 02 32")
		d.ask("07 0d 04 01 00 02 00", pingresp)
		d.ask(wakeCl1, "08 0c 20 04 01 00 03 33")
		d.ask("07 0d 04 01 00 03 00", pingresp)
		s.wantCount(1, "mqttsn_wakes_total", "partial")
	})
}

func TestMQTTSN_K18_SleeperIsConnectedForTheCore(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").withWill(), s.watch("w")
		d.ask("04 18 00 64", "02 18")
		s.sleep(149 * time.Second)
		w.want()
		d.ask(wakeCl1, pingresp)
	})
}

func TestMQTTSN_K18_SleeperIsToldOfARestartAndHasItsMessages(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.reconnect("cl1").want(connack)
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		d.ask("04 18 00 64", "02 18")
		s.watch("").publish("a/b", "1")
		s.restart()
		s.watch("").publish("a/b", "2")
		d.ask(wakeCl1, "02 18")
		d.reconnect("cl1").want(connack, "09 0a 04 01 00 01 61 2f 62")
		d.ask("07 0b 04 01 00 01 00", "08 0c 20 04 01 00 02 31")
		d.ask("07 0d 04 01 00 02 00", "08 0c 20 04 01 00 03 32")
	})
}

func TestMQTTSN_K19_AcknowledgedMessageIsNotDeliveredAgain(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publishQoS("a/b", "x", 2)
		d.ask(wakeCl1, "08 0c 40 04 01 00 02 78")
		d.ask("04 0f 00 02", "04 10 00 02")
		d.ask("04 0e 00 02", pingresp)
		d.ask(wakeCl1, pingresp)
	})
}

func TestMQTTSN_K20_MessagesThatArriveDuringAWake(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "1")
		d.ask(wakeCl1, "08 0c 20 04 01 00 01 31")
		w.publish("a/b", "2") // before PINGRESP: in the same wake
		d.ask("07 0d 04 01 00 01 00", "08 0c 20 04 01 00 02 32")
		d.ask("07 0d 04 01 00 02 00", pingresp)
		w.publish("a/b", "3") // later: waits
		d.want()
		d.ask(wakeCl1, "08 0c 20 04 01 00 03 33")
	})
}

func TestWakeThatIsRepeatedRepeatsWhatIsInFlight(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		d.ask(wakeCl1, "08 0c 20 04 01 00 01 78")
		d.ask(wakeCl1) // at once: nothing is lost yet
		s.sleep(time.Second)
		d.ask(wakeCl1, "08 0c a0 04 01 00 01 78")
	})
}

func TestMQTTSN_ClientThatMQTTKnowsTooIsTakenOver(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.reconnect("cl1").want(connack)
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		other := &watcher{s: s}
		s.do(func() { // the same client id by another protocol
			other.session, _ = s.router.Attach(s.turn, core.Client{ID: "cl1", Protocol: "mqtt", Expiry: time.Hour}, other)
		})
		d.want("02 18")
		s.watch("").publish("a/b", "x")
		other.want("a/b=x q1") // with its subscriptions
		s.do(func() { other.session.Detach(s.turn, core.Normal) })
		s.watch("").publish("a/b", "y")
		d.put(packet.Connect{ProtocolID: 1, Duration: 60, ClientID: []byte("cl1")})
		d.want(connack, "09 0a 04 01 00 01 61 2f 62")
		d.ask("07 0b 04 01 00 01 00", "08 0c 20 04 01 00 02 79")
	})
}

func TestMQTTSN_K7_WhoSleepsWithoutASubscriptionHasNoQueueUntilThereIsOne(t *testing.T) {
	simulate(t, Config{Queue: 9, QueueQoS0: 2}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").connect("cl1"), s.watch("")
		d.ask("04 18 00 1e", "02 18")
		p := s.e.first("cl1")
		if p.session.Inbox() != nil {
			t.Error("a queue for nothing")
		}
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		if p.state != asleep {
			t.Fatal("it does not sleep any more")
		}
		for _, payload := range []string{"1", "2", "3"} {
			w.publishQoS("a/b", payload, 0)
		}
		d.ask(wakeCl1, "08 0c 00 04 01 00 00 32", "08 0c 00 04 01 00 00 33", pingresp)
	})
}
