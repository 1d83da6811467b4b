package mqttsn

import (
	"testing"
	"time"
)

func TestMQTTSN_K11_PingOfAnotherClient(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("05 16 63 6c 32", "02 18") // unknown: X1
		s.sleeping("10.0.0.2:1000")      // takes "cl1" over
		d.want("02 18")
		s.at("10.0.0.3:1000").ask("05 16 63 6c 32", "02 18")
	})
}

func TestMQTTSN_K12_SleeperRoams(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		a, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		b := s.at("10.0.0.2:2000")
		b.ask(wakeCl1, "08 0c 20 04 01 00 01 78")
		b.ask("07 0d 04 01 00 01 00", pingresp)
		a.ask(wakeCl1, pingresp) // and back
		a.ask("02 18", "02 18")
		b.ask("02 18", "02 18")
		s.wantCount(2, "mqttsn_roams_total", "moved")
	})
}

func TestMQTTSN_K12_ActiveClientIsNeverMoved(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		a := s.at("10.0.0.1:1000").connect("cl1")
		s.at("10.0.0.2:2000").ask(wakeCl1)
		a.ask("02 16", pingresp)
	})
}

func TestMQTTSN_K12_RoamingOff(t *testing.T) {
	simulate(t, Config{Roaming: "off"}, func(s *sim) {
		s.sleeping("10.0.0.1:1000")
		s.at("10.0.0.2:2000").ask(wakeCl1)
	})
}

func TestMQTTSN_K13_ConnectFromSleepContinuesTheSession(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		d.ask(connectWill, connack, "08 0c 20 04 01 00 01 78") // Clean and Will are ignored
		d.ask("07 0d 04 01 00 01 00")
		w.publish("a/b", "y")
		d.want("08 0c 20 04 01 00 02 79")
	})
}

func TestMQTTSN_K13_WhatWasInFlightBeforeTheSleepIsRepeatedAfterTheConnack(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.subscribed("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		again := "08 0c a0 04 01 00 01 78"
		s.sleep(40 * time.Second)
		d.want("08 0c 20 04 01 00 01 78", again, again, again, again) // the last repetition
		d.ask("04 18 00 64", "02 18")
		s.sleep(20 * time.Second)
		d.ask(connectCl1, connack, again)
		s.sleep(40 * time.Second)
		d.want(again, again, again, again) // and all repetitions anew
		d.ask("07 0d 04 01 00 01 00")
	})
}

func TestMQTTSN_K13_ConnectFromSleepAtAnotherAddress(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		a, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		b := s.at("10.0.0.2:2000")
		b.ask(connectCl1, connack, "08 0c 20 04 01 00 01 78")
		a.want()
		if s.e.peers.len() != 1 {
			t.Errorf("%d clients", s.e.peers.len())
		}
	})
}

func TestMQTTSN_K13_CleanHonouredIfAskedFor(t *testing.T) {
	simulate(t, Config{WakeConnectClean: "honour"}, func(s *sim) {
		d, w := s.sleeping("10.0.0.1:1000"), s.watch("")
		w.publish("a/b", "x")
		d.ask(connectCl1, connack)
		w.publish("a/b", "y")
		d.want()
	})
}
