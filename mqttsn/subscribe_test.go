package mqttsn

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

func TestMQTTSN_S1_SubscribeByName(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		s.watch("").publish("a/b", "x")
		d.want("08 0c 20 04 01 00 01 78")
	})
}

func TestMQTTSN_S2_S3_WildcardAndShortNameHaveNoID(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("08 12 20 00 01 61 2f 23", "08 13 20 00 00 00 01 00")
		d.ask("07 12 42 00 02 61 62", "08 13 40 00 00 00 02 00")
	})
}

func TestMQTTSN_S4_SubscribeByPredefinedID(t *testing.T) {
	simulate(t, Config{Predefined: map[uint16]string{7: "a/b"}}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("07 12 21 00 01 00 07", "08 13 20 00 07 00 01 00")
		d.ask("07 12 21 00 02 00 08", "08 13 00 00 08 00 02 02")
		s.watch("").publish("a/b", "x")
		d.want("08 0c 21 00 07 00 01 78")
	})
}

func TestMQTTSN_S5_ReservedTopicKindIsRefused(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("cl1").ask("07 12 23 00 01 00 07", "08 13 00 00 00 00 01 03")
	})
}

func TestMQTTSN_S6_QoSMinusOneIsGrantedAs0(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("cl1").ask("08 12 60 00 01 61 2f 62", "08 13 00 04 01 00 01 00")
	})
}

func TestMQTTSN_S7_SubackFlagsCarryTheQoSOnly(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("cl1").ask("08 12 dc 00 01 61 2f 62", "08 13 40 04 01 00 01 00")
	})
}

func TestMQTTSN_S8_RepeatedSubscribe(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		w := s.watch("")
		w.retain("a/b", "r")
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("08 12 00 00 01 61 2f 62", "08 13 00 04 01 00 01 00", "08 0c 10 04 01 00 00 72")
		d.ask("08 12 80 00 01 61 2f 62", "08 13 00 04 01 00 01 00")
		d.ask("08 12 00 00 01 61 2f 62", "08 13 00 04 01 00 01 00")
		d.ask("08 12 00 00 02 61 2f 62", "08 13 00 04 01 00 02 00", "08 0c 10 04 01 00 00 72") // a new one
		s.sleep(40 * time.Second)
		d.ask("08 12 80 00 02 61 2f 62", "08 13 00 04 01 00 02 00", "08 0c 10 04 01 00 00 72") // too late for a repetition
	})
}

func TestMQTTSN_S9_S11_SubackComesBeforeTheRetainedMessages(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		w := s.watch("")
		w.retain("a/b", "r")
		w.retain("a/c", "s")
		d := s.at("10.0.0.1:1000")
		d.reconnect("cl1").want(connack) // durable: the SUBACK waits for the store
		d.ask("08 12 00 00 01 61 2f 23", "08 13 00 00 00 00 01 00", "09 0a 04 01 00 01 61 2f 62")
		d.ask("07 0b 04 01 00 01 00", "08 0c 10 04 01 00 00 72", "09 0a 04 02 00 02 61 2f 63")
		d.ask("07 0b 04 02 00 02 00", "08 0c 10 04 02 00 00 73")
		w.publishQoS("a/b", "live", 0)
		d.want("0b 0c 00 04 01 00 00 6c 69 76 65") // without the flag
	})
}

func TestMQTTSN_S10_UnsubscribeIsAlwaysAnswered(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		d.ask("08 14 00 00 04 61 2f 62", "04 15 00 04")
		w.publish("a/b", "x")
		d.want()
		d.ask("08 14 00 00 05 61 2f 62", "04 15 00 05")
		d.ask("07 14 01 00 06 00 09", "04 15 00 06")
		d.ask("07 14 03 00 07 00 09", "04 15 00 07")
		d.ask("02 16", "02 17")
	})
}

func TestMQTTSN_S12_SharedAndNamedQueues(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		w := s.watch("")
		a, b := s.at("10.0.0.1:1000").connect("cl1"), s.at("10.0.0.2:1000").connect("cl2")
		for _, d := range []*device{a, b} { // "$share/g/a/b"
			d.ask("11 12 20 00 01 24 73 68 61 72 65 2f 67 2f 61 2f 62", "08 13 20 00 00 00 01 00")
		}
		w.publish("a/b", "1")
		w.publish("a/b", "2")
		for _, d := range []*device{a, b} {
			d.want("09 0a 04 01 00 01 61 2f 62")
			d.send("07 0b 04 01 00 01 00")
		}
		got := append(a.take(), b.take()...)
		if len(got) != 2 || got[0][7]+got[1][7] != '1'+'2' {
			t.Errorf("members received % x, want each message once", got)
		}
		c := s.at("10.0.0.3:1000").connect("cl3") // "$queue/q"
		c.ask("0d 12 20 00 01 24 71 75 65 75 65 2f 71", "08 13 20 00 00 00 01 00")
		w.publish("$queue/q", "3")
		c.want("0e 0a 04 01 00 01 24 71 75 65 75 65 2f 71")
		c.ask("07 0b 04 01 00 01 00", "08 0c 20 04 01 00 02 33")
	})
}

func TestMQTTSN_S13_DeniedOrInvalidFilter(t *testing.T) {
	for code, cfg := range map[string]Config{"03": {}, "80": {EMQXCodes: true}} {
		t.Run(code, func(t *testing.T) {
			simulateHost(t, cfg, &adapters.Host{}, core.Options{Authorizer: denying{core.ActionSubscribe: "a/b"}}, func(s *sim) {
				d := s.at("10.0.0.1:1000").connect("cl1")
				d.ask("08 12 20 00 01 61 2f 62", "08 13 00 00 00 00 01 "+code)
				d.ask("08 12 20 00 02 23 2f 62", "08 13 00 00 00 00 02 03")
				d.ask("05 12 20 00 03", "08 13 00 00 00 00 03 03")
				d.ask("06 12 20 00 04 00", "08 13 00 00 00 00 04 03")
			})
		})
	}
}

func TestMQTTSN_S14_TooManySubscriptions(t *testing.T) {
	simulate(t, Config{MaxSubscriptions: 1}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		d.ask("08 12 20 00 02 61 2f 63", "08 13 00 00 00 00 02 01")
		d.ask("08 12 00 00 03 61 2f 62", "08 13 00 04 01 00 03 00") // its own again
		d.ask("08 14 00 00 04 61 2f 62", "04 15 00 04")
		d.ask("08 12 20 00 05 61 2f 63", "08 13 20 04 02 00 05 00")
	})
}
