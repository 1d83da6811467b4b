package mqtt

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// press sets the pressure; turns that begin later know it.
func (w *world) press(p core.Pressure) { w.Router.SetPressure(p) }

func TestSecurity_O4_MQTTRefusesInTheWordsOfItsVersion(t *testing.T) {
	run(t, nil, func(w *world) {
		five, old := w.connect("five", v5), w.connect("old", v311)
		w.reader("away", v5, "a", keep(1000)).Drop()
		w.press(core.Pressure{Level: core.LevelRefuse})
		five.send(pub("a", "x", 1, 1))
		five.want("PUBACK #1 97")
		five.send(pub("a", "x", 2, 2))
		five.want("PUBREC #2 97")
		old.send(pub("a", "x", 1, 1)) // 3.x has no word
		old.want()
		if !old.Paused() {
			t.Error("reading goes on")
		}
		w.Advance(1100 * time.Millisecond)
		if old.Paused() {
			t.Error("reading does not go on")
		}
		w.dial("new", v5).ends("CONNACK code=89")
		w.dial("new", v311).ends("CONNACK code=03")
		back := w.connect("away", v5, keep(1000), resume)
		back.open()
	})
}
