package mqttsn

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// registered connects "cl1" with the id 0401 for "a/b".
func (s *sim) registered(addr string) *device {
	s.Helper()
	d := s.at(addr).connect("cl1")
	d.ask("09 0a 00 00 00 02 61 2f 62", "07 0b 04 01 00 02 00")
	return d
}

func TestMQTTSN_P1_QoS0IsDeliveredWithoutAReply(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.registered("10.0.0.1:1000"), s.watch("a/b")
		d.ask("08 0c 00 04 01 00 00 78")
		w.want("a/b=x")
	})
}

func TestMQTTSN_P2_QoS1IsAcknowledged(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.registered("10.0.0.1:1000"), s.watch("a/b")
		d.ask("08 0c 20 04 01 00 03 78", "07 0d 04 01 00 03 00")
		w.want("a/b=x q1")
		s.watch("").session.Unsubscribe(s.turn, []string{"a/b"}, nil)
		d.ask("08 0c 20 04 01 00 04 78", "07 0d 04 01 00 04 00") // with or without a receiver
	})
}

func TestMQTTSN_P2_AcknowledgementWaitsForDurableReceivers(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		sub := s.at("10.0.0.9:1000")
		sub.reconnect("sub").want(connack)
		sub.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		sub.ask("02 18", "02 18")
		d := s.registered("10.0.0.1:1000")
		writes := s.store.writes
		d.ask("08 0c 20 04 01 00 03 78", "07 0d 04 01 00 03 00")
		if s.store.writes == writes {
			t.Error("nothing was written before the PUBACK")
		}
	})
}

func TestMQTTSN_P3_QoS2(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.registered("10.0.0.1:1000"), s.watch("a/b")
		d.ask("08 0c 40 04 01 00 03 78", "04 0f 00 03")
		d.ask("08 0c c0 04 01 00 03 78", "04 0f 00 03") // a duplicate, until PUBREL
		d.ask("04 10 00 03", "04 0e 00 03")
		d.ask("04 10 00 03", "04 0e 00 03") // unknown by now
		w.want("a/b=x q2")
		d.ask("08 0c 40 04 01 00 03 79", "04 0f 00 03")
		w.want("a/b=y q2")
	})
}

func TestMQTTSN_P3_DuplicateAfterReconnectIsSwallowed(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("ab")
		d.reconnect("cl1").want(connack)
		d.ask("08 0c 42 61 62 00 03 78", "04 0f 00 03")
		d.ask("02 18", "02 18")
		d.reconnect("cl1").want(connack)
		d.ask("08 0c c2 61 62 00 03 78", "04 0f 00 03")
		d.ask("04 10 00 03", "04 0e 00 03")
		w.want("ab=x q2")
	})
}

func TestMQTTSN_P4_UnknownIDIsAnsweredAndTheSessionSurvives(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("08 0c 20 00 09 00 03 78", "07 0d 00 09 00 03 02")
		d.ask("08 0c 00 00 09 00 00 78", "07 0d 00 09 00 00 02")
		d.ask("08 0c 40 00 09 00 04 78", "07 0d 00 09 00 04 02")
		d.ask("02 16", "02 17")
	})
}

func TestMQTTSN_P4_AnswersToQoS0AreLimited(t *testing.T) {
	simulate(t, Config{UnsolicitedRate: 1}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		no := "07 0d 00 09 00 00 02"
		d.ask("08 0c 00 00 09 00 00 78", no)
		d.ask("08 0c 00 00 09 00 00 78", no)
		d.ask("08 0c 00 00 09 00 00 78")
		s.sleep(time.Second)
		d.ask("08 0c 00 00 09 00 00 78", no)
	})
}

func TestMQTTSN_P5_PredefinedIDs(t *testing.T) {
	cfg := Config{
		Predefined:        map[uint16]string{7: "all/seven", 8: "all/eight"},
		PredefinedClients: map[string]map[uint16]string{"cl*": {8: "cl/eight"}, "other": {9: "x"}},
	}
	simulate(t, cfg, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").connect("cl1"), s.watch("#")
		d.ask("08 0c 21 00 07 00 03 78", "07 0d 00 07 00 03 00")
		d.ask("08 0c 21 00 08 00 04 78", "07 0d 00 08 00 04 00")
		d.ask("08 0c 21 00 09 00 05 78", "07 0d 00 09 00 05 02")
		w.want("all/seven=x q1", "cl/eight=x q1")
	})
}

func TestMQTTSN_P6_ShortNames(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").connect("cl1"), s.watch("ab")
		d.ask("08 0c 22 61 62 00 03 78", "07 0d 61 62 00 03 00")
		d.ask("08 0c 22 61 23 00 04 78", "07 0d 61 23 00 04 03")
		d.ask("08 0c 22 2b 61 00 05 78", "07 0d 2b 61 00 05 03")
		w.want("ab=x q1")
	})
}

func TestMQTTSN_P7_ReservedTopicKindIsRefused(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("cl1").ask("08 0c 23 61 62 00 03 78", "07 0d 61 62 00 03 03")
	})
}

func TestMQTTSN_P8_QoSMinusOneWithoutSession(t *testing.T) {
	simulate(t, Config{Predefined: map[uint16]string{7: "seven"}}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("#")
		d.ask("08 0c 62 61 62 00 00 78")
		d.ask("08 0c 61 00 07 00 00 78")
		d.put(packet.LongPublish{Name: []byte("a/long/name"), Data: []byte("x")})
		d.want()
		w.want("ab=x", "seven=x", "a/long/name=x")
		d.ask("08 0c 60 04 01 00 00 78", "07 0d 04 01 00 00 02") // a normal id means nothing here
		d.ask("08 0c 61 00 08 00 00 78", "07 0d 00 08 00 00 02")
		d.ask("08 0c 63 00 07 00 00 78", "07 0d 00 07 00 00 03")
		if s.e.peers.len() != 0 {
			t.Error("a state was made")
		}
	})
}

func TestMQTTSN_P8_RefusalOfQoSMinusOne(t *testing.T) {
	deny := denying{core.ActionPublish: "ab"}
	for _, x := range []struct {
		cfg  Config
		want []string
	}{
		{Config{}, []string{"07 0d 61 62 00 00 03"}},
		{Config{EMQXCodes: true}, []string{"07 0d 61 62 00 00 80"}},
		{Config{QoSM1Refusal: "silent"}, nil},
		{Config{QoSMinusOne: "off"}, []string{"07 0d 61 62 00 00 03"}},
	} {
		t.Run(fmt.Sprint(x.want, x.cfg.QoSMinusOne), func(t *testing.T) {
			simulateHost(t, x.cfg, &adapters.Host{}, core.Options{Authorizer: deny}, func(s *sim) {
				w := s.watch("#")
				s.at("10.0.0.1:1000").ask("08 0c 62 61 62 00 00 78", x.want...)
				w.want()
			})
		})
	}
}

func TestMQTTSN_P8_QoSMinusOneWaitsForItsLogin(t *testing.T) {
	login := loginFunc(func(c adapters.Credentials) (*core.Principal, core.Reason) {
		time.Sleep(time.Second)
		if c.Device != "beacon" {
			return nil, core.NotAuthenticated
		}
		return core.Anonymous, core.OK
	})
	for _, x := range []struct {
		client string
		answer []string
		want   []string
	}{{"beacon", nil, []string{"ab=x"}}, {"other", []string{"07 0d 61 62 00 00 03"}, nil}} {
		t.Run(x.client, func(t *testing.T) {
			simulateHost(t, Config{QoSM1Client: x.client}, &adapters.Host{Auth: login}, core.Options{}, func(s *sim) {
				d, w := s.at("10.0.0.1:1000"), s.watch("#")
				d.ask("08 0c 62 61 62 00 00 78")
				s.sleep(time.Second)
				d.want(x.answer...)
				w.want(x.want...)
			})
		})
	}
}

func TestMQTTSN_P9_QoSMinusOneInsideASession(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.registered("10.0.0.1:1000"), s.watch("#")
		d.ask("08 0c 60 04 01 00 00 78")
		d.ask("08 0c 62 61 62 00 00 79")
		d.put(packet.LongPublish{Name: []byte("a/long/name"), Data: []byte("z")})
		d.want()
		w.want("a/b=x", "ab=y", "a/long/name=z")
	})
}

func TestMQTTSN_P10_MsgIDOfQoS0IsIgnored(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.registered("10.0.0.1:1000"), s.watch("a/b")
		d.ask("08 0c 00 04 01 12 34 78")
		w.want("a/b=x")
	})
}

func TestMQTTSN_P11_DeniedPublish(t *testing.T) {
	for code, cfg := range map[string]Config{"03": {}, "80": {EMQXCodes: true}} {
		t.Run(code, func(t *testing.T) {
			simulateHost(t, cfg, &adapters.Host{}, core.Options{Authorizer: denying{core.ActionPublish: "a/b"}}, func(s *sim) {
				d, w := s.registered("10.0.0.1:1000"), s.watch("#")
				d.ask("08 0c 20 04 01 00 03 78", "07 0d 04 01 00 03 "+code)
				d.ask("08 0c 40 04 01 00 04 78", "07 0d 04 01 00 04 "+code)
				d.ask("08 0c 00 04 01 00 00 78")
				w.want()
			})
		})
	}
}

func TestMQTTSN_R10_AnIDGrantsNothing(t *testing.T) {
	deny := denying{core.ActionPublish: "a/b", core.ActionSubscribe: "a/b"}
	simulateHost(t, Config{}, &adapters.Host{}, core.Options{Authorizer: deny}, func(s *sim) {
		d := s.registered("10.0.0.1:1000")
		d.ask("08 0c 20 04 01 00 03 78", "07 0d 04 01 00 03 03")
		d.ask("08 12 20 00 04 61 2f 62", "08 13 00 00 00 00 04 03")
	})
}

func TestMQTTSN_P12_RepetitionOfAnAcknowledgedPublish(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.registered("10.0.0.1:1000"), s.watch("a/b")
		for mid := range uint16(9) {
			d.put(packet.Publish{QoS: 1, TopicID: 0x0401, MsgID: mid + 1, Data: []byte{'a' + byte(mid)}})
		}
		d.take()
		w.want("a/b=a q1", "a/b=b q1", "a/b=c q1", "a/b=d q1", "a/b=e q1", "a/b=f q1", "a/b=g q1", "a/b=h q1", "a/b=i q1")
		d.ask("08 0c a0 04 01 00 02 62", "07 0d 04 01 00 02 00") // among the last 8
		w.want()
		d.ask("08 0c a0 04 01 00 01 61", "07 0d 04 01 00 01 00") // not any more
		w.want("a/b=a q1")
		d.ask("08 0c 20 04 01 00 09 69", "07 0d 04 01 00 09 00") // DUP=0 is a new message
		w.want("a/b=i q1")
		s.sleep(40 * time.Second)
		d.ask("08 0c a0 04 01 00 09 69", "07 0d 04 01 00 09 00") // too late for a repetition
		w.want("a/b=i q1")
	})
}

func TestMQTTSN_P13_CongestedCore(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").connect("cl1"), s.watch("")
		s.do(func() {
			w.session.Declare(s.turn, core.QueueSpec{Name: "q", Limits: core.QueueLimits{Messages: 1}})
		})
		d.ask("0e 0a 00 00 00 02 24 71 75 65 75 65 2f 71", "07 0b 04 01 00 02 00") // "$queue/q"
		d.ask("08 0c 20 04 01 00 03 78", "07 0d 04 01 00 03 00")
		d.ask("08 0c 20 04 01 00 04 78", "07 0d 04 01 00 04 01")
	})
}

func TestMQTTSN_P14_Retain(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.registered("10.0.0.1:1000")
		d.ask("08 0c 30 04 01 00 03 78", "07 0d 04 01 00 03 00")
		s.watch("a/b").want("a/b=x! q1")
		d.ask("07 0c 30 04 01 00 04", "07 0d 04 01 00 04 00") // empty: cleared
		s.watch("a/b").want()
	})
}

func TestMQTTSN_P15_PacketAboveTheLimit(t *testing.T) {
	simulate(t, Config{MaxPacket: 64}, func(s *sim) {
		d, w := s.registered("10.0.0.1:1000"), s.watch("#")
		d.put(packet.Publish{QoS: 1, TopicID: 0x0401, MsgID: 3, Data: make([]byte, 57)})
		d.want("07 0d 04 01 00 03 00")
		d.put(packet.Publish{QoS: 1, TopicID: 0x0401, MsgID: 4, Data: make([]byte, 58)})
		d.want("07 0d 04 01 00 04 03")
		w.want("a/b=" + string(make([]byte, 57)) + " q1")
		s.wantCount(1, "protocol_errors_total", Name, "max_packet")
	})
}

func TestMQTTSN_P16_QoS1And2NeedAMsgID(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.registered("10.0.0.1:1000"), s.watch("#")
		d.ask("08 0c 20 04 01 00 00 78", "07 0d 04 01 00 00 03")
		d.ask("08 0c 40 04 01 00 00 78", "07 0d 04 01 00 00 03")
		w.want()
	})
}

func TestSecurity_L22_BeyondTheRateOfItsNamespaceAPublisherIsToldOfCongestion(t *testing.T) {
	o := core.Options{Tenants: map[string]core.Tenant{core.DefaultNamespace: {Quota: core.Quotas{PublishRate: 2}}}}
	simulateHost(t, Config{}, &adapters.Host{}, o, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		publish := func(id string) string { return "09 0c 22 61 62 00 " + id + " 68 69" } // QoS 1, short topic "ab"
		d.ask(publish("01"), "07 0d 61 62 00 01 00")
		d.ask(publish("02"), "07 0d 61 62 00 02 00")
		d.ask(publish("03"), "07 0d 61 62 00 03 01")
		s.sleep(time.Second)
		d.ask(publish("04"), "07 0d 61 62 00 04 00")
	})
}
