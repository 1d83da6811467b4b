package mqttsn

import (
	"testing"
	"time"
)

func TestSecurity_L5_WhoFindsNoPlaceIsToldOfCongestion(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.places = 1
		a, b := s.at("10.0.0.1:1000").connect("cl1"), s.at("198.51.100.1:1000")
		b.ask(connectCl2, "03 05 01")
		s.wantCount(1, "limit_refused_total", Name, "connections")
		if s.exists("cl2") || s.e.peers.len() != 1 {
			t.Fatal("the refused one is there")
		}
		a.ask(connectCl2, connack) // who follows at an address has its place
		a.ask("04 18 00 3c", "02 18")
		b.ask(connectCl1, "03 05 01") // who sleeps is connected
		a.ask("02 18", "02 18")
		b.ask(connectCl1, connack) // and so is who has said no more than that
		a.ask(connectCl2, "03 05 01")
		s.sleep(time.Minute)
		b.want("02 16", "02 18")
		a.ask(connectCl2, connack)
	})
}

func TestSecurity_L22_BeyondTheRateOfAClientItIsToldOfCongestion(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.rate = 2
		w := s.watch("ab")
		d := s.at("10.0.0.1:1000").connect("cl1")
		d.ask("09 0c 22 61 62 00 01 68 69", "07 0d 61 62 00 01 00")
		d.ask("09 0c 42 61 62 00 02 68 69", "04 0f 00 02")
		d.ask("09 0c 22 61 62 00 03 68 69", "07 0d 61 62 00 03 01")
		d.ask("09 0c 42 61 62 00 04 68 69", "07 0d 61 62 00 04 01")
		s.wantCount(0, "messages_dropped_total", Name, "rate")
		for _, flags := range []string{"02", "62"} { // QoS 0 and -1
			d.ask("09 0c " + flags + " 61 62 00 00 68 69")
		}
		s.wantCount(2, "messages_dropped_total", Name, "rate")
		s.wantCount(4, "refused_total", Name, "rate exceeded")
		w.want("ab=hi q1", "ab=hi q2")
		s.sleep(time.Second)
		d.ask("09 0c 22 61 62 00 05 68 69", "07 0d 61 62 00 05 00")
		other := s.at("10.0.0.2:1000").connect("cl2") // a rate of each
		other.ask("09 0c 22 61 62 00 01 68 69", "07 0d 61 62 00 01 00")
	})
	t.Run("without a session", func(t *testing.T) {
		simulate(t, Config{}, func(s *sim) {
			s.rate = 2
			w := s.watch("ab")
			d := s.at("10.0.0.1:1000")
			for range 3 {
				d.ask("08 0c 62 61 62 00 00 78")
			}
			w.want("ab=x", "ab=x")
			s.wantCount(1, "messages_dropped_total", Name, "rate")
			s.wantCount(1, "mqttsn_qos_m1_total", "refused")
		})
	})
}
