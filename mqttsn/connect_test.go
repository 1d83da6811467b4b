package mqttsn

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const (
	connectCl1  = "09 04 04 01 00 3c 63 6c 31" // clean, 60 s, "cl1"
	connectWill = "09 04 0c 01 00 3c 63 6c 31"
	connack     = "03 05 00"
	refused     = "03 05 03"
	willTopic   = "04 07 00 77" // "w"
	willMsg     = "05 09 62 79 65"
)

func TestMQTTSN_C1_ConnectWithoutWill(t *testing.T) {
	simulate(t, Config{}, func(s *sim) { s.at("10.0.0.1:1000").ask(connectCl1, connack) })
}

func TestMQTTSN_C2_ConnectWithWill(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("w")
		d.ask(connectWill, "02 06")
		d.ask(willTopic, "02 08")
		d.ask(willMsg, connack)
		s.sleep(90 * time.Second)
		w.want("w=bye")
	})
}

func TestMQTTSN_C3_EmptyWillTopicMeansNoWill(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("#")
		d.ask(connectWill, "02 06")
		d.ask("02 07", connack)
		s.sleep(2 * time.Minute)
		w.want()
	})
}

func TestMQTTSN_C4_BadWillTopicIsRefused(t *testing.T) {
	for _, topic := range []string{"04 07 00 23", "05 07 00 61 2b", "03 07 00", "04 07 00 00"} {
		t.Run(topic, func(t *testing.T) {
			simulate(t, Config{}, func(s *sim) {
				d := s.at("10.0.0.1:1000")
				d.ask(connectWill, "02 06")
				d.ask(topic, refused)
				d.ask("02 16", "02 18") // no session
			})
		})
	}
}

func TestMQTTSN_C4_WillTopicThatTheACLDeniesIsRefused(t *testing.T) {
	deny := denying{core.ActionWill: "w"}
	simulateHost(t, Config{}, &adapters.Host{}, core.Options{Authorizer: deny}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask(connectWill, "02 06")
		d.ask(willTopic, "02 08")
		d.ask(willMsg, refused)
	})
}

// denying is an Authorizer that denies one topic of an action.
type denying map[core.Action]string

func (d denying) Authorize(_ *core.Principal, a core.Action, topic string) bool { return d[a] != topic }

func TestMQTTSN_C5_OtherProtocolIsRefused(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").ask("09 04 04 02 00 3c 63 6c 31", refused)
	})
}

func TestMQTTSN_C6_EmptyClientID(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		simulate(t, Config{}, func(s *sim) { s.at("10.0.0.1:1000").ask("06 04 04 01 00 3c", refused) })
	})
	t.Run("allowed", func(t *testing.T) {
		simulate(t, Config{AllowEmptyClientID: true}, func(s *sim) {
			s.at("10.0.0.1:1000").ask("06 04 04 01 00 3c", connack)
			if s.e.first("sn-10.0.0.1:1000") == nil {
				t.Error("the client id is not sn-<address>")
			}
		})
	})
}

func TestMQTTSN_C7_RepeatedConnectChangesNothing(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask(connectCl1, connack)
		before := s.e.peers.get(origin{addr: d.addr}).session
		d.ask(connectCl1, connack)
		if s.e.peers.get(origin{addr: d.addr}).session != before {
			t.Error("the session was replaced")
		}
		d.ask("02 16", "02 17")
		d.ask(connectCl1, connack) // something was received since: in full
		if s.e.peers.get(origin{addr: d.addr}).session == before {
			t.Error("a CONNECT on a live session was not processed")
		}
	})
}

func TestMQTTSN_C7_ConnectAfterTheTimeOfRepetitionIsProcessedInFull(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask(connectCl1, connack)
		before := s.e.peers.get(origin{addr: d.addr}).session
		s.sleep(40 * time.Second)
		d.ask(connectCl1, connack)
		if s.e.peers.get(origin{addr: d.addr}).session == before {
			t.Error("not processed")
		}
	})
}

func TestMQTTSN_C7_LostConnackOfTheWillHandshakeIsRepeated(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask(connectWill, "02 06")
		d.ask(willTopic, "02 08")
		d.ask(willMsg, connack)
		d.ask(willMsg, connack)
		d.ask("02 16", "02 17")
	})
}

func TestMQTTSN_C8_ConnectRepeatedDuringTheWillHandshake(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask(connectWill, "02 06")
		d.ask(connectWill, "02 06")
		d.ask(willTopic, "02 08")
		d.ask(connectWill, "02 06")
		d.ask(willTopic, "02 08")
		d.ask(willMsg, connack)
	})
}

func TestMQTTSN_C9_OtherPacketsDuringTheWillHandshakeEndIt(t *testing.T) {
	for name, packet := range map[string]string{
		"WILLMSG before WILLTOPIC": willMsg, "SUBSCRIBE": "08 12 20 00 01 61 2f 62", "DISCONNECT": "02 18", "PINGREQ": "02 16",
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, Config{}, func(s *sim) {
				d := s.at("10.0.0.1:1000")
				d.ask(connectWill, "02 06")
				d.ask(packet, "02 18")
				if s.e.peers.len() != 0 {
					t.Error("the client was not forgotten")
				}
			})
		})
	}
}

func TestMQTTSN_C9_QuestionsAreRepeatedThenTheClientForgotten(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("#")
		d.ask(connectWill, "02 06")
		d.ask(willTopic, "02 08")
		s.sleep(40 * time.Second)
		d.want("02 08", "02 08", "02 08", "02 08")
		s.sleep(10 * time.Second)
		d.want()
		if s.e.peers.len() != 0 {
			t.Error("the client was not forgotten")
		}
		w.want()
		s.wantCount(1, "mqttsn_timeouts_total", "will")
	})
}

func TestMQTTSN_C10_CleanConnectDeletesTheSession(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("")
		d.reconnect("cl1").want(connack)
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		d.ask("02 18", "02 18")
		w.publish("a/b", "1")
		d.connect("cl1")
		w.publish("a/b", "2")
		d.want()
		d.ask("08 0c 20 04 01 00 03 78", "07 0d 04 01 00 03 02") // the registration is gone, too
	})
}

func TestMQTTSN_C11_SessionThatStaysIsResumed(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("")
		d.reconnect("cl1").want(connack)
		d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
		d.ask("02 18", "02 18")
		w.publish("a/b", "1")
		d.reconnect("cl1").want(connack, "09 0a 04 01 00 01 61 2f 62") // registered anew before its first publish
		d.ask("07 0b 04 01 00 01 00", "08 0c 20 04 01 00 02 31")
		d.ask("07 0d 04 01 00 02 00")
		d.ask("08 0c 20 04 01 00 03 78", "07 0d 04 01 00 03 00", "08 0c 20 04 01 00 03 78") // the client's own id still holds
	})
}

func TestMQTTSN_C11_WillOfASessionThatStays(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("w")
		d.ask("09 04 08 01 00 3c 63 6c 31", "02 06")
		d.ask(willTopic, "02 08")
		d.ask(willMsg, connack)
		s.sleep(90 * time.Second)
		w.want("w=bye")
		d.reconnect("cl1").want(connack)
		s.sleep(90 * time.Second)
		w.want("w=bye")
	})
}

func TestMQTTSN_C12_SameClientFromANewAddressTakesOver(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		a, b := s.at("10.0.0.1:1000").connect("cl1"), s.at("10.0.0.2:1000")
		b.ask(connectCl1, connack)
		a.want("02 18")
		a.ask("02 16", "02 18")
		b.ask("02 16", "02 17")
	})
}

func TestMQTTSN_C12_AnotherPrincipalHasAnotherSession(t *testing.T) {
	byAddress := loginFunc(func(c adapters.Credentials) (*core.Principal, core.Reason) {
		return &core.Principal{Namespace: "default", User: c.Addr}, core.OK
	})
	simulateHost(t, Config{}, &adapters.Host{Auth: byAddress}, core.Options{}, func(s *sim) {
		a, b := s.at("10.0.0.1:1000").connect("cl1"), s.at("10.0.0.2:1000").connect("cl1")
		a.ask("02 16", "02 17")
		b.ask("02 16", "02 17")
	})
}

// loginFunc is an Authenticator.
type loginFunc func(adapters.Credentials) (*core.Principal, core.Reason)

func (f loginFunc) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	return f(c)
}

func TestMQTTSN_C13_NewClientAtAnAddressLosesTheOld(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000"), s.watch("w")
		d.ask(connectWill, "02 06")
		d.ask(willTopic, "02 08")
		d.ask(willMsg, connack)
		d.connect("cl2")
		w.want("w=bye")
	})
}

func TestMQTTSN_C14_TooManyClients(t *testing.T) {
	simulate(t, Config{MaxClients: 1}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("cl1")
		s.at("10.0.0.2:1000").ask("09 04 04 01 00 3c 63 6c 32", "03 05 01")
	})
}

func TestMQTTSN_C14_BusyAndRefusedLogins(t *testing.T) {
	for _, x := range []struct {
		reason core.Reason
		emqx   bool
		want   string
	}{{core.Busy, false, "03 05 01"}, {core.NotAuthenticated, false, "03 05 03"}, {core.NotAuthenticated, true, "03 05 80"}} {
		t.Run(x.want, func(t *testing.T) {
			refuse := loginFunc(func(adapters.Credentials) (*core.Principal, core.Reason) { return nil, x.reason })
			simulateHost(t, Config{EMQXCodes: x.emqx}, &adapters.Host{Auth: refuse}, core.Options{}, func(s *sim) {
				s.at("10.0.0.1:1000").ask(connectCl1, x.want)
				if s.e.peers.len() != 0 {
					t.Error("the client was not forgotten")
				}
			})
		})
	}
}

func TestMQTTSN_C15_KeepAliveOfZeroAndAboveTheLimit(t *testing.T) {
	for _, x := range []struct {
		name, connect string
		cfg           Config
		alive, lost   time.Duration
	}{
		{"zero is the limit", "09 04 04 01 00 00 63 6c 31", Config{MaxKeepAlive: 100 * time.Second}, 149 * time.Second, 150 * time.Second},
		{"zero allowed", "09 04 04 01 00 00 63 6c 31", Config{AllowZeroKeepAlive: true, MaxKeepAlive: 100 * time.Second}, time.Hour, 0},
		{"capped", "09 04 04 01 ff ff 63 6c 31", Config{MaxKeepAlive: 100 * time.Second}, 149 * time.Second, 150 * time.Second},
	} {
		t.Run(x.name, func(t *testing.T) {
			simulate(t, x.cfg, func(s *sim) {
				s.at("10.0.0.1:1000").ask(x.connect, connack)
				s.sleep(x.alive)
				if s.e.peers.len() != 1 {
					t.Fatal("lost too early")
				}
				if x.lost > 0 {
					s.sleep(x.lost - x.alive)
					if s.e.peers.len() != 0 {
						t.Fatal("not lost")
					}
				}
			})
		})
	}
}

func TestMQTTSN_C16_ConnackLeavesInTheTurnOfTheConnect(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, before := s.at("10.0.0.1:1000"), time.Now()
		d.ask(connectCl1, connack)
		if d := time.Since(before); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}

func TestMQTTSN_C17_LongOrControlClientIDIsRefused(t *testing.T) {
	simulate(t, Config{MaxClientID: 4}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask("0b 04 04 01 00 3c 61 62 63 64 65", refused)
		d.ask("0a 04 04 01 00 3c 61 62 63 64", connack)
		d.ask("07 04 04 01 00 3c 0a", refused)
		d.ask("07 04 04 01 00 3c 2b", refused)
		d.ask("07 04 04 01 00 3c 00", refused)
	})
}

func TestMQTTSN_V1_ConnectOfVersion2IsRefused(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").ask("0d 01 00 02 00 3c 00 00 00 00 63 6c 31", refused)
		s.wantCount(1, "protocol_errors_total", Name, "version_2")
	})
}

func TestMQTTSN_D2_SearchIsAnsweredToTheAsker(t *testing.T) {
	simulate(t, Config{GatewayID: 7}, func(s *sim) {
		s.at("10.0.0.1:1000").ask("03 01 00", "03 02 07")
		if s.e.peers.len() != 0 { // D5
			t.Error("a search made a client")
		}
	})
}

func TestMQTTSN_D3_D5_SearchIsAnsweredAtOnceAndMakesNoState(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		before := time.Now()
		s.at("10.0.0.1:1000").ask("03 01 00", "03 02 01")
		if time.Since(before) != 0 || s.e.peers.len()+s.e.holders()+len(s.e.names) != 0 {
			t.Error("late, or with a state")
		}
	})
}

func TestMQTTSN_D6_SearchSharesTheRateOfTheSource(t *testing.T) {
	simulate(t, Config{RatePerSource: 1}, func(s *sim) {
		d := s.at("198.51.100.1:1000")
		d.ask("03 01 00", "03 02 01")
		d.ask("03 01 00", "03 02 01")
		d.ask("03 01 00")
		s.sleep(time.Second)
		d.ask("03 01 00", "03 02 01")
	})
}

func TestSecurity_L6_TrustedSourcesHaveNoRate(t *testing.T) {
	h := &adapters.Host{Limits: adapters.Limits{Trusted: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}}
	simulateHost(t, Config{RatePerSource: 1}, h, core.Options{}, func(s *sim) {
		trusted, other := s.at("198.51.100.1:1000"), s.at("127.0.0.1:1000")
		for range 9 {
			trusted.ask("03 01 00", "03 02 01")
		}
		other.ask("03 01 00", "03 02 01")
		other.ask("03 01 00", "03 02 01")
		other.ask("03 01 00")
	})
}

func TestMQTTSN_D4_OtherGatewaysAreIgnored(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask("05 00 01 03 84")
		d.ask("03 02 01")
	})
}

func TestEvictionByTheHouseIsTold(t *testing.T) {
	for _, r := range []core.Reason{core.Kicked, core.LoginExpired} {
		t.Run(r.String(), func(t *testing.T) {
			simulate(t, Config{}, func(s *sim) {
				d := s.at("10.0.0.1:1000").connect("cl1")
				s.do(func() { s.e.first("cl1").handle.Evict(r) })
				d.want("02 18")
				d.ask("02 16", "02 18")
			})
		})
	}
}

func TestConnectDuringASlowLogin(t *testing.T) {
	slow := loginFunc(func(adapters.Credentials) (*core.Principal, core.Reason) {
		time.Sleep(2 * time.Second)
		return core.Anonymous, core.OK
	})
	simulateHost(t, Config{}, &adapters.Host{Auth: slow}, core.Options{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask(connectCl1)
		d.ask(connectCl1) // repeated: the answer is under way
		d.ask("08 12 20 00 01 61 2f 62")
		s.sleep(2 * time.Second)
		d.want(connack)
		e := s.at("10.0.0.2:1000")
		e.ask("09 04 04 01 00 3c 63 6c 32")
		e.ask("02 18", "02 18") // given up
		s.sleep(2 * time.Second)
		e.want()
	})
}

func TestLoginThatNeverEndsIsGivenUp(t *testing.T) {
	hang := loginFunc(func(adapters.Credentials) (*core.Principal, core.Reason) {
		time.Sleep(time.Hour)
		return core.Anonymous, core.OK
	})
	simulateHost(t, Config{}, &adapters.Host{Auth: hang}, core.Options{}, func(s *sim) {
		d := s.at("10.0.0.1:1000")
		d.ask(connectCl1)
		s.sleep(6 * time.Second)
		d.want("03 05 01")
		if s.e.peers.len() != 0 {
			t.Error("still there")
		}
		s.sleep(time.Hour)
		d.want()
	})
}

func TestSECURITY_L24_IdleClientOfAnUnprovenAddressMakesRoom(t *testing.T) {
	simulate(t, Config{MaxClients: 2}, func(s *sim) {
		s.at("10.0.0.1:1000").connect("proven")
		s.at("198.51.100.1:1000").connect("forged")
		late := s.at("198.51.100.2:1000")
		late.ask("09 04 04 01 00 3c 63 6c 32", "03 05 01")
		s.sleep(10 * time.Second)
		late.ask("09 04 04 01 00 3c 63 6c 32", "03 05 00")
		if s.e.first("proven") == nil || s.e.peers.get(origin{addr: netip.MustParseAddrPort("198.51.100.1:1000")}) != nil {
			t.Error("the wrong client was forgotten")
		}
	})
}
