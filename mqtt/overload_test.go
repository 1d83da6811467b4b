package mqtt

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
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

func TestSecurity_O2_ClientsOfMQTT5GetLongerKeepAlivesThatVary(t *testing.T) {
	run(t, &Config{MaxKeepAlive: 1400}, func(w *world) {
		w.press(core.Pressure{Level: core.LevelShed})
		told := map[uint32]bool{}
		for i := range 10 {
			p := w.dial(fmt.Sprint("c", i), v5, keepAliveOf(1000))
			ack := p.packets()[0].(*packet.Connack)
			v := ack.Properties.Num(packet.ServerKeepAlive, 0)
			if v <= 1000 || v > 1400 {
				t.Errorf("Server Keep Alive %d", v)
			}
			told[v] = true
		}
		if len(told) < 2 {
			t.Error("all are told the same")
		}
		w.press(core.Pressure{})
		ack := w.dial("c", v5, keepAliveOf(1000)).packets()[0].(*packet.Connack)
		if ack.Properties.Has(packet.ServerKeepAlive) {
			t.Error("told without overload")
		}
	})
}
