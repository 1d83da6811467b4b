// Package interop runs the scripts of the matrix with real clients as separate processes against the built binary:
// mosquitto_pub and mosquitto_sub, the mqtt package of npm over WebSocket, coap-client, python3-stomp, python3-pika,
// amqp-publish and amqp-consume, and for MQTT-SN the binary's own pub and sub. A client that is missing fails the run.
package interop

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A server is the built binary, serving every protocol on free ports.
type server struct {
	binary string
	port   map[string]string // by scheme
}

func startServer(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{binary: filepath.Join(dir, "entrepot"), port: map[string]string{}}
	if out, err := exec.Command("go", "build", "-o", s.binary, "../../cmd/entrepot").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	args := []string{"serve", "--data", filepath.Join(dir, "data"), "--log-format", "json"}
	schemes := []string{"mqtt", "ws", "mqttsn", "coap", "stomp", "amqp", "http"}
	for _, scheme := range schemes {
		args = append(args, "--listen", scheme+"://127.0.0.1:0")
	}
	cmd := exec.Command(s.binary, args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan bool), make(chan struct{})
	go s.read(t, bufio.NewScanner(stderr), ready, ended)
	t.Cleanup(func() { stopServer(t, cmd, ended) })
	select {
	case <-ready:
	case <-ended:
		t.Fatal("the gateway ended before it was ready")
	case <-time.After(20 * time.Second):
		t.Fatal("the gateway is not ready")
	}
	return s
}

// read learns the ports from the log, and fails the test on what the gateway itself calls an error.
func (s *server) read(t *testing.T, lines *bufio.Scanner, ready chan<- bool, ended chan<- struct{}) {
	defer close(ended)
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
		case l.Level == "ERROR":
			t.Errorf("gateway: %s", lines.Text())
		}
	}
}

// stopServer asks the gateway to stop, which it does within five seconds and with exit code 0.
func stopServer(t *testing.T, cmd *exec.Cmd, ended <-chan struct{}) {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	late := time.AfterFunc(5*time.Second, func() {
		t.Error("the gateway did not stop within 5 s")
		_ = cmd.Process.Kill()
	})
	<-ended
	if err := cmd.Wait(); err != nil {
		t.Errorf("the gateway ended with %v", err)
	}
	late.Stop()
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
