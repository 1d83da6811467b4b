package mqttsn

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// withWill connects "cl1" with the will w=bye.
func (d *device) withWill() *device {
	d.s.Helper()
	d.ask(connectWill, "02 06")
	d.ask(willTopic, "02 08")
	d.ask(willMsg, connack)
	return d
}

func TestMQTTSN_U1_WillTopicUpdateAndDeletion(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").withWill(), s.watch("#")
		d.ask("04 1a 00 76", "03 1b 00")
		s.sleep(90 * time.Second)
		w.want("v=bye")
		d.withWill()
		d.ask("02 1a", "03 1b 00")
		d.ask("03 1c 78", "03 1d 03") // topic and message are gone
		s.sleep(90 * time.Second)
		w.want()
	})
}

func TestMQTTSN_U2_WillMessageUpdate(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").withWill(), s.watch("#")
		d.ask("04 1c 6f 6b", "03 1d 00")
		s.sleep(90 * time.Second)
		w.want("w=ok")
		d.connect("cl1")
		d.ask("04 1c 6f 6b", "03 1d 03")
	})
}

func TestMQTTSN_U3_WillTopicUpdateReplacesTheFlags(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").withWill(), s.watch("#")
		d.ask("04 1a 50 77", "03 1b 00") // QoS 2, retain
		s.sleep(90 * time.Second)
		w.want("w=bye! q2")
	})
}

func TestMQTTSN_U3_RefusedUpdateKeepsTheOldWill(t *testing.T) {
	deny := denying{core.ActionWill: "v"}
	simulateHost(t, Config{}, &adapters.Host{}, core.Options{Authorizer: deny}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").withWill(), s.watch("#")
		d.ask("04 1a 00 23", "03 1b 03")
		d.ask("04 1a 00 76", "03 1b 03")
		s.sleep(90 * time.Second)
		w.want("w=bye")
	})
}

func TestMQTTSN_U4_CleanEndPublishesNoWill(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d, w := s.at("10.0.0.1:1000").withWill(), s.watch("#")
		d.ask("02 18", "02 18")
		s.sleep(time.Hour)
		w.want()
	})
}

func TestMQTTSN_U4_TimeOutsPublishTheWill(t *testing.T) {
	t.Run("keep-alive", func(t *testing.T) {
		simulate(t, Config{}, func(s *sim) {
			w := s.watch("w")
			s.at("10.0.0.1:1000").withWill()
			s.sleep(89 * time.Second)
			w.want()
			s.sleep(time.Second)
			w.want("w=bye")
			s.wantCount(1, "mqttsn_timeouts_total", "keepalive")
		})
	})
	t.Run("sleep", func(t *testing.T) {
		simulate(t, Config{}, func(s *sim) {
			d, w := s.at("10.0.0.1:1000").withWill(), s.watch("w")
			d.ask("04 18 00 c8", "02 18") // 200 s
			s.sleep(299 * time.Second)
			w.want()
			s.sleep(time.Second)
			w.want("w=bye")
			s.wantCount(1, "mqttsn_timeouts_total", "sleep")
		})
	})
	t.Run("retry", func(t *testing.T) {
		simulate(t, Config{}, func(s *sim) {
			d, w := s.at("10.0.0.1:1000").withWill(), s.watch("w")
			d.ask("08 12 20 00 01 61 2f 62", "08 13 20 04 01 00 01 00")
			w.publish("a/b", "x")
			s.sleep(49 * time.Second)
			w.want()
			s.sleep(time.Second)
			w.want("w=bye")
			s.wantCount(1, "mqttsn_timeouts_total", "retry")
		})
	})
}

func TestMQTTSN_U5_BothAnswersHaveThreeOctets(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").withWill()
		d.send("04 1a 00 76", "03 1c 78")
		for _, b := range d.take() {
			if len(b) != 3 {
				t.Errorf("% x", b)
			}
		}
	})
}

func TestMQTTSN_U6_WillUpdateBeforeConnect(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		s.at("10.0.0.1:1000").ask("04 1a 00 76", "02 18")
		s.at("10.0.0.1:1000").ask("03 1c 78", "02 18")
	})
}
