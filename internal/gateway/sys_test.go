package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
)

func TestY1_TheSectionDecidesWhetherValuesArePublished(t *testing.T) {
	for set, want := range map[string]bool{"sys.interval=10s": true, "sys.interval=0": false} {
		g, err := open(t, []string{"mqtt://127.0.0.1:0"}, set)
		if err != nil {
			t.Fatal(err)
		}
		running(t, g)() // Run publishes once, then is stopped
		found := 0
		for _, n := range g.router.Stats().Namespaces {
			found += n.System
		}
		if (found > 100) != want {
			t.Errorf("%s: %d topics", set, found)
		}
	}
}

func TestY1_TheIntervalHasBounds(t *testing.T) {
	for _, d := range []string{"999ms", "2h", "-1s"} {
		in := config.Input{Listen: []string{"mqtt://127.0.0.1:0"}, Set: []string{"sys.interval=" + d}, Sections: Sections(), Protocols: Protocols()}
		if _, err := config.Load(in); err == nil || !strings.Contains(err.Error(), "interval") {
			t.Errorf("%s: %v", d, err)
		}
	}
	if (&Sys{Interval: time.Hour}).Validate() != nil || (&Sys{}).Validate() != nil {
		t.Error("a legal interval is refused")
	}
}

func TestY5_EventsAreOffUnlessAskedFor(t *testing.T) {
	for set, want := range map[string]bool{"sys.events=false": false, "sys.events=true": true} {
		g, err := open(t, []string{"mqtt://127.0.0.1:0"}, set, "node.name=n")
		if err != nil {
			t.Fatal(err)
		}
		if on := g.watch.to.Load() != nil; on != want || g.node() != "n" {
			t.Errorf("%s: %v", set, on)
		}
		running(t, g)()
	}
}
