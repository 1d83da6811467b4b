package listen_test

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

func TestSecurity_L22_ReadingPausesBeyondThePublishRate(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{limits: adapters.Limits{PublishRate: 10}}, func(t *testing.T, r *rig, i int) {
		p, other := r.client(t, i).login("p"), r.client(t, i).login("o")
		began := time.Now()
		for range 20 { // ten at once, and ten more at ten a second
			p.send("PUB a bbx\n")
		}
		p.send("ECHO done\n")
		other.send("ECHO on\n")
		other.expect("on")
		for p.line() != "done" {
		}
		if d := time.Since(began); d < 900*time.Millisecond {
			t.Errorf("20 messages in %v", d)
		}
		if r.count("reading_paused_total", "line") == 0 {
			t.Error("not counted")
		}
	})
}

func TestSecurity_L22_BytesOfWhatIsPublished(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}, limits: adapters.Limits{PublishBytesRate: 100}})
	p := r.client(t, 0).login("p")
	began := time.Now()
	for range 20 { // 200 bytes
		p.send("PUB a bbx\n")
		p.line()
	}
	if d := time.Since(began); d < 900*time.Millisecond {
		t.Errorf("200 bytes in %v", d)
	}
}

func TestSecurity_O3_PublishersAreReadOnceASecondOnEveryTransport(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		p, other := r.client(t, i).login("p"), r.client(t, i).login("o")
		r.host.Router.SetPressure(core.Pressure{Level: core.LevelBrake})
		began := time.Now()
		p.send("QPUB a x\nQPUB a x\nECHO done\n")
		for n := range 10 {
			other.send("ECHO on\n")
			if other.expect("on"); n == 0 && time.Since(began) > 900*time.Millisecond {
				t.Error("who does not publish waits too")
			}
		}
		p.expect("done")
		if d := time.Since(began); d < 2*time.Second {
			t.Errorf("two messages in %v", d)
		}
	})
}
