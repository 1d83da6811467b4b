package listen_test

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/listen"
)

// clientLines are the lines of an event.
func (r *rig) clientLines(event string) (lines []string) {
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "msg="+event+" ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestG1_WhoConnectsAndGoesIsLogged(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i).login("a")
		c.send("QUIT\n")
		until(t, "both are logged", func() bool { return len(r.clientLines("client.disconnected")) == 1 })
		for _, event := range []string{"client.connected", "client.disconnected"} {
			lines := r.clientLines(event)
			if len(lines) != 1 {
				t.Fatalf("%s: %q", event, lines)
			}
			for _, want := range []string{"level=INFO", "protocol=line", "version=1", "listener=" + r.Addrs()[i].URL, "client=a", "principal=anonymous", "addr="} {
				if !strings.Contains(lines[0], want) {
					t.Errorf("%s lacks %s: %s", event, want, lines[0])
				}
			}
			if told := strings.Contains(lines[0], "reason=normal"); told != (event == "client.disconnected") {
				t.Error(lines[0])
			}
		}
		quiet := r.client(t, i) // only looks whether somebody is there: a line of level debug
		quiet.nc.Close()
		until(t, "it is gone", func() bool { all, _ := r.Connections(); return all == 0 })
		if lines := r.clientLines("client.disconnected"); len(lines) != 1 {
			t.Errorf("%q", lines)
		}
	})
}

func TestG1_DatagramPeersAreLoggedToo(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0"}})
	u := udp(t, r.addr(0))
	u.send("LOGIN a")
	u.expect("OK")
	r.stop()
	for _, event := range []string{"client.connected", "client.disconnected"} {
		if lines := r.clientLines(event); len(lines) != 1 || !strings.Contains(lines[0], "client=a") || !strings.Contains(lines[0], "addr=127.0.0.1:") {
			t.Errorf("%s: %q", event, lines)
		}
	}
}

func TestG1_LinesOfClientsCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}, change: func(o *listen.Options) { o.Quiet = true }})
	r.client(t, 0).login("a").send("QUIT\n")
	r.client(t, 0).send("PANIC\n")
	until(t, "both are gone", func() bool {
		return r.count("disconnects_total", "line", "normal") == 1 && strings.Contains(r.log.String(), "panic.recovered")
	})
	if text := r.log.String(); strings.Contains(text, "client.") {
		t.Error(text)
	}
}

func TestASessionThatIsTakenOverIsAnEventOfItsOwn(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		old := r.client(t, i).login("a")
		r.client(t, i).login("a")
		old.expect("BYE taken over")
		until(t, "the old one is gone", func() bool { return len(r.clientLines("client.disconnected")) == 1 })
		if lines := r.clientLines("client.takenover"); len(lines) != 1 || !strings.Contains(lines[0], "client=a principal=anonymous addr=") || strings.Contains(lines[0], "reason") {
			t.Errorf("%q", lines)
		}
	})
}
