package mqtt

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// burst takes a session over as often as is allowed at once.
func (w *world) burst(id string, v packet.Version) (last *peer) {
	w.t.Helper()
	last = w.connect(id, v)
	for range limit.TakeoverRate {
		last = w.connect(id, v)
	}
	return last
}

func TestMQTT_MT4_TakeoversAreSlowedDown(t *testing.T) {
	run(t, nil, func(w *world) {
		holder := w.burst("x", v5)
		other := w.connect("y", v5)
		accepted := 0
		for range 3000 { // a thousand a second for three seconds
			p := w.dialNow("x", v5)
			w.Advance(time.Millisecond)
			if _, closed := holder.Closed(); closed {
				accepted++
				holder.want("DISCONNECT 8e")
				holder = p
				holder.recv()
			}
		}
		if accepted < 25 || accepted > 31 {
			t.Errorf("%d takeovers in three seconds", accepted)
		}
		other.send(ping)
		other.want("PINGRESP")
		if w.count("mqtt_takeovers_delayed_total") == 0 {
			t.Error("nothing is counted")
		}
	})
}

// dialNow is dial for a connection that may have to wait.
func (w *world) dialNow(id string, v packet.Version) *peer {
	w.t.Helper()
	p := &peer{Conn: w.Open(), t: w.t, v: v}
	p.send(&packet.Connect{Version: v, CleanStart: true, ClientID: []byte(id)})
	return p
}

func TestMQTT_MT4_TheLastOneWaitsAndTheOthersAreRefused(t *testing.T) {
	run(t, nil, func(w *world) {
		holder := w.burst("x", v5)
		first := w.dialNow("x", v5)
		old := w.dialNow("x", v311)
		last := w.dialNow("x", v5)
		last.send(pub("a", "x", 1, 7)) // [MQTT-3.1.4-6]
		first.ends("CONNACK code=9f")
		old.ends("CONNACK code=03")
		last.want()
		holder.send(ping)
		holder.want("PINGRESP")
		w.Advance(99 * time.Millisecond)
		last.want()
		w.Advance(time.Millisecond)
		holder.ends("DISCONNECT 8e")
		if got := last.recv(); len(got) != 2 || got[1] != "PUBACK #7 10" {
			t.Errorf("got %q", got)
		}
	})
}

func TestMQTT_MT4_NobodyWaitsForASessionThatIsFree(t *testing.T) {
	run(t, nil, func(w *world) {
		holder := w.burst("x", v5)
		waits := w.dialNow("x", v5)
		holder.send(bye(0))
		free := w.dialNow("x", v5)
		waits.ends("CONNACK code=9f")
		if got := free.recv(); len(got) != 1 {
			t.Errorf("got %q", got)
		}
		for range 50 { // coming and going is no takeover
			free.Drop()
			free = w.dialNow("x", v5)
			if got := free.recv(); len(got) != 1 {
				t.Errorf("got %q", got)
			}
		}
	})
}

func TestMQTT_MT4_WhoWaitsMayLeave(t *testing.T) {
	run(t, nil, func(w *world) {
		holder := w.burst("x", v5)
		w.dialNow("x", v5).Drop()
		gone := w.dialNow("x", v5)
		gone.Evict(core.ShuttingDown)
		gone.ends("CONNACK code=88")
		w.Advance(time.Second)
		holder.open()
		if n, waiting := w.Room().(*Room).takeovers.(*limit.Takeovers).Waiting(); n != 1 || waiting != 0 {
			t.Errorf("%d are left, %d wait", n, waiting)
		}
		w.connect("x", v5)
		holder.ends("DISCONNECT 8e")
	})
}
