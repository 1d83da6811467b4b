// Package interop runs real clients as separate processes against the built binary: the scripts of the matrix with
// mosquitto_pub and mosquitto_sub, the mqtt package of npm over WebSocket, coap-client, python3-stomp, python3-pika,
// amqp-publish and amqp-consume, and for MQTT-SN the binary's own pub and sub; the scenarios of mqtt_flavour_test.go with
// mosquitto's programs, both Paho libraries of Go, python3-paho-mqtt and npm's mqtt in every version and over TCP and
// WebSocket; and bridges of mosquitto. A client that is missing fails the run.
package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server is the built binary, serving every protocol on free ports.
type server struct {
	binary string
	data   string            // its directory
	port   map[string]string // by scheme
}

// built is the binary of this run, made once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "entrepot-interop")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "entrepot")
	out, err := exec.Command("go", "build", "-o", path, "../../cmd/entrepot").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if library := goLibraries[os.Getenv(peerVariable)]; library != nil {
		serveLibrary(library)
		return
	}
	code := m.Run()
	if path, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func startServer(t *testing.T, more ...string) *server {
	t.Helper()
	s := &server{binary: binary(t), data: filepath.Join(t.TempDir(), "data")}
	args := []string{"serve", "--data", s.data, "--log-format", "json", "--set", "limits.overload.cpu=false"}
	args = append(args, more...)
	for _, scheme := range append(schemes, "http") {
		args = append(args, "--listen", scheme+"://127.0.0.1:0")
	}
	running := launch(t, s.binary, args)
	s.port = running.port
	t.Cleanup(func() { running.stop(t) })
	return s
}

// A process is a running gateway.
type process struct {
	server
	cmd      *exec.Cmd
	stopping chan struct{} // closed when the log says so
	ended    chan struct{}
}

// launch starts a gateway and waits until it is ready.
func launch(t *testing.T, binary string, args []string) *process {
	t.Helper()
	return launchWith(t, binary, args, nil)
}

// launchWith adds variables to the environment.
func launchWith(t *testing.T, binary string, args, env []string) *process {
	t.Helper()
	p := &process{server: server{binary: binary, port: map[string]string{}}, cmd: exec.Command(binary, args...), stopping: make(chan struct{}), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan bool)
	go p.read(t, bufio.NewScanner(stderr), ready)
	select {
	case <-ready:
	case <-p.ended:
		t.Fatal("the gateway ended before it was ready")
	case <-time.After(20 * time.Second):
		t.Fatal("the gateway is not ready")
	}
	return p
}

// read learns the ports from the log, and fails the test on what the gateway itself calls an error.
func (s *process) read(t *testing.T, lines *bufio.Scanner, ready chan<- bool) {
	defer close(s.ended)
	for lines.Scan() {
		var l struct{ Msg, Level, Listener string }
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			t.Logf("gateway: %s", lines.Text())
			continue
		}
		switch {
		case l.Msg == "listener.bound":
			if u, err := url.Parse(l.Listener); err == nil {
				s.port[u.Scheme] = u.Port()
			}
		case l.Msg == "ready":
			close(ready)
		case l.Msg == "stopping":
			close(s.stopping)
		case l.Level == "ERROR":
			t.Errorf("gateway: %s", lines.Text())
		}
	}
}

// stop asks the gateway to stop, which it does within five seconds and with exit code 0.
func (s *process) stop(t *testing.T) {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	late := time.AfterFunc(5*time.Second, func() {
		t.Error("the gateway did not stop within 5 s")
		_ = s.cmd.Process.Kill()
	})
	<-s.ended
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the gateway ended with %v", err)
	}
	late.Stop()
}

// kill ends the gateway without a warning.
func (s *process) kill(t *testing.T) {
	if err := s.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-s.ended
	_ = s.cmd.Wait() // killed
}

func (s *server) url(scheme, path string) string {
	return scheme + "://127.0.0.1:" + s.port[scheme] + path
}

// scratch is a folder for one client.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "client")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
