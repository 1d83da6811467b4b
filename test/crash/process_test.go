package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
)

// patience bounds each wait for something that must come.
const patience = 60 * time.Second

var schemes = []string{"mqtt", "mqttsn", "coap", "stomp", "amqp"}

// build makes the binary as users have it.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "entrepot")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../cmd/entrepot").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// A process is one life of the gateway.
type process struct {
	cmd   *exec.Cmd
	at    map[string]config.Address // by scheme
	ended chan struct{}
	life  context.Context // ends with it
	die   context.CancelFunc
}

// start runs the binary on a data directory and waits until it is ready.
func start(t *testing.T, binary, data string, more ...string) *process {
	t.Helper()
	args := append([]string{"serve", "--data", data, "--log-format", "json"}, more...)
	for _, s := range schemes {
		args = append(args, "--listen", s+"://127.0.0.1:0")
	}
	p := &process{cmd: exec.Command(binary, args...), at: map[string]config.Address{}, ended: make(chan struct{})}
	p.life, p.die = context.WithCancel(context.Background())
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go p.read(t, bufio.NewScanner(stderr), ready)
	t.Cleanup(p.kill)
	select {
	case <-ready:
	case <-p.ended:
		t.Fatal("the gateway does not start")
	case <-time.After(patience):
		t.Fatal("the gateway is not ready")
	}
	return p
}

// read learns the addresses from the log, and fails the test on what the gateway itself calls an error.
func (p *process) read(t *testing.T, lines *bufio.Scanner, ready chan<- struct{}) {
	defer p.die()
	defer close(p.ended)
	for lines.Scan() {
		var l struct{ Msg, Level, Listener string }
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			t.Errorf("gateway: %s", lines.Text())
			continue
		}
		switch {
		case l.Msg == "listener.bound":
			if a, err := config.ParseAddress(l.Listener); err == nil {
				u, _ := url.Parse(l.Listener)
				p.at[u.Scheme] = a
			}
		case l.Msg == "ready":
			close(ready)
		case l.Level == "ERROR", l.Msg == "panic.recovered":
			t.Errorf("gateway: %s", lines.Text())
		}
	}
}

// kill ends the process as a power cut would, but for what the operating system holds. It may be called again.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
	_ = p.cmd.Wait()
}

// whole checks every record of a store that nobody uses.
func whole(t *testing.T, binary string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, append([]string{"store", "check"}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("store check: %v\n%s", err, out)
	}
}
