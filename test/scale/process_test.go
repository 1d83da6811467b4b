//go:build !race

// The gateway is a process of its own here: the race detector would see, and slow down, only what measures it.

package scale

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience bounds what takes long at full size.
const patience = 5 * time.Minute

// process is the gateway as users have it: the descriptors and the memory are its own.
type process struct {
	*testing.T
	binary, data string
	set          []string
	cmd          *exec.Cmd
	mqtt, http   string // host:port
	ready        time.Duration
	ended        chan struct{}
}

// launch builds the gateway and runs it until the test ends.
func launch(t *testing.T, set ...string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{T: t, binary: filepath.Join(dir, "entrepot"), data: filepath.Join(dir, "data"), set: append(set, "limits.overload.cpu=false")}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.binary, "../../cmd/entrepot").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Cleanup(func() { p.kill() })
	p.start()
	return p
}

// start runs it on its data directory, and waits until it is ready.
func (p *process) start() {
	p.Helper()
	args := []string{"serve", "--data", p.data, "--log-format", "json", "--listen", "mqtt://127.0.0.1:0", "--listen", "http://127.0.0.1:0"}
	for _, s := range p.set {
		args = append(args, "--set", s)
	}
	p.cmd, p.ended = exec.Command(p.binary, args...), make(chan struct{})
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		p.Fatal(err)
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		p.Fatal(err)
	}
	ready := make(chan struct{})
	go p.read(stderr, ready)
	select {
	case <-ready:
		p.ready = time.Since(began)
	case <-p.ended:
		p.Fatal("the gateway does not start")
	case <-time.After(patience):
		p.Fatal("the gateway is not ready")
	}
}

// read follows the log: the addresses, and what the gateway itself calls an error.
func (p *process) read(log io.Reader, ready chan<- struct{}) {
	defer close(p.ended)
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var l struct{ Msg, Level, Listener string }
		if json.Unmarshal(lines.Bytes(), &l) != nil || l.Level == "ERROR" || l.Msg == "panic.recovered" {
			p.Errorf("gateway: %s", lines.Text())
		}
		switch l.Msg {
		case "listener.bound":
			if u, err := url.Parse(l.Listener); err != nil {
				p.Error(err)
			} else if u.Scheme == "mqtt" {
				p.mqtt = u.Host
			} else {
				p.http = u.Host
			}
		case "ready":
			close(ready)
		}
	}
}

// kill ends it as a power cut would, but for what the operating system holds. It may be called again.
func (p *process) kill() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	_ = p.cmd.Wait()
}

// metric is the value of one series.
func (p *process) metric(name string) int {
	p.Helper()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + p.http + "/metrics")
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(body), "\n"+name+" ")
	value, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		p.Fatalf("%s: %v", name, err)
	}
	return int(n)
}

// memory is what the process holds now, in MiB, and the most that it held.
func (p *process) memory() (now, most int) {
	p.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var kb int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			now = kb >> 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			most = kb >> 10
		}
	}
	return now, most
}
