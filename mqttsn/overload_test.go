package mqttsn

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestSecurity_O3_MQTTSNAnswersCongestion(t *testing.T) {
	simulate(t, Config{}, func(s *sim) {
		d := s.at("10.0.0.1:1000").connect("cl1")
		s.router.SetPressure(core.Pressure{Level: core.LevelBrake})
		d.ask("08 0c 22 61 62 00 03 78", "07 0d 61 62 00 03 01") // PUBACK 01
		d.ask("08 0c 02 61 62 00 00 78")                         // QoS 0 is dropped
		d.ask("07 0a 00 00 00 04 61", "07 0b 00 00 00 04 01")    // REGACK 01
		d.ask("02 16", "02 17")
		s.router.SetPressure(core.Pressure{})
		d.ask("08 0c 22 61 62 00 05 78", "07 0d 61 62 00 05 00")
	})
}
