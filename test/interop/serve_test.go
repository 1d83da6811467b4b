package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
)

var schemes = []string{"mqtt", "ws", "mqttsn", "coap", "stomp", "amqp"}

// run executes one command of the binary and returns its exit code and output.
func run(t *testing.T, binary, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, text bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &text
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), text.String()
}

func TestC1_ReadyMeansThatEveryListenerIsBound(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, path := range []string{"/healthz", "/readyz", "/startupz"} {
		resp, err := http.Get(s.url("http", path))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	for _, scheme := range schemes {
		if s.port[scheme] == "" || s.port[scheme] == "0" {
			t.Errorf("%s has no port", scheme)
		}
	}
}

func TestC2_ATakenPortEndsTheStartWithTheCommandThatWouldWork(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, scheme := range append(schemes, "http") {
		taken := s.url(scheme, "")
		code, out, text := run(t, s.binary, "", "serve", "--data", "memory", "--listen", "stomp://127.0.0.1:0", "--listen", taken)
		if code != 3 || out != "" || !strings.Contains(text, taken+": address in use by entrepot (pid ") ||
			!strings.Contains(text, "\nTry: entrepot serve --data memory --listen stomp://127.0.0.1:0 --listen "+scheme+"://127.0.0.1:") {
			t.Errorf("%s: exit %d, %s", taken, code, text)
		}
		if strings.Contains(text, `"msg":"ready"`) || strings.Contains(text, "listener.bound") {
			t.Errorf("%s: a half-started gateway: %s", taken, text)
		}
	}
}

func TestC2_TheCommandThatIsOfferedWorks(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.url("mqtt", ""), "mqtt://"), ":")
	file := filepath.Join(t.TempDir(), "it's.yaml")
	text := "node: {data: memory}\nlimits: {connections: 100}\nlisteners:\n  - {url: 'mqtt://127.0.0.1:" + port + "', max_qos: 1}\n  - stomp://127.0.0.1:" + port + "\n  - mqtt://127.0.0.1:0\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"file":  {"--config", file, "--set", "sys.interval=1s", "--log-format", "json"},
		"flags": {"--data", "memory", "--listen", "mqtt://127.0.0.1:" + port + "?max_qos=1", "--listen", "stomp://127.0.0.1:" + port, "--set", "auth.cert.strip=it's; x"},
	} {
		_, _, said := run(t, s.binary, "", append([]string{"serve"}, args...)...)
		_, command, ok := strings.Cut(strings.TrimSpace(said), "\nTry: entrepot ")
		if !ok || strings.Contains(command, "\n") {
			t.Errorf("%s: %s", name, said)
			continue
		}
		p := launch(t, "sh", []string{"-c", "exec " + s.binary + " " + command})
		c, err := net.Dial("tcp", "127.0.0.1:"+p.port["stomp"])
		if err != nil {
			t.Errorf("%s: %s: %v", name, command, err)
		} else {
			c.Close()
		}
		if name == "flags" && !strings.Contains(command, "?max_qos=1'") || name == "file" && (!strings.Contains(command, ".url=mqtt://") || strings.Contains(command, "--listen")) {
			t.Errorf("%s: a key of the listener is lost: %s", name, command)
		}
		p.stop(t)
	}
}

func TestTheDataDirectoryHasOneOwner(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	code, _, text := run(t, s.binary, "", "serve", "--data", s.data, "--listen", "stomp://127.0.0.1:0")
	if code != 3 || !strings.Contains(text, "in use by another process. Try: another --data DIR") {
		t.Errorf("exit %d, %s", code, text)
	}
}

func TestS14_AnonymousOnAnotherAddressIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, scheme := range append(schemes, "http") {
		if code, _, text := run(t, s.binary, "", "serve", "--data", "memory", "--listen", scheme+"://0.0.0.0:0"); code != 3 || !strings.Contains(text, "insecure: true") {
			t.Errorf("%s: exit %d, %s", scheme, code, text)
		}
	}
}

// connect opens a connection of a protocol to the server.
func connect(t *testing.T, url string, onMessage func(dial.Message)) dial.Conn {
	t.Helper()
	a, err := config.ParseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := dial.Dial(ctx, dial.Options{Address: a, OnMessage: onMessage})
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return c
}

func TestC5_TheStopIsCleanWithClientsOfEveryProtocol(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, scheme := range []string{"mqtt", "mqttsn", "stomp", "amqp"} {
		c := connect(t, s.url(scheme, ""), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := c.Subscribe(ctx, "a/#", 1); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
		cancel()
	}
	silent, err := net.Dial("tcp", "127.0.0.1:"+s.port["mqtt"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	// The clean-up of startServer sends SIGTERM and wants exit 0 within five seconds.
}

func TestC5_ASecondSignalEndsAtOnceWith130(t *testing.T) {
	t.Parallel()
	p := launch(t, binary(t), []string{"serve", "--data", "memory", "--log-format", "json", "--listen", "amqp://127.0.0.1:0"})
	// A client that is logged in and answers nothing keeps the farewell waiting.
	c := connect(t, p.url("amqp", ""), nil)
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	raw, err := net.Dial("tcp", "127.0.0.1:"+p.port["amqp"])
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		t.Fatal(err)
	}
	if n, err := raw.Read(make([]byte, 1024)); n == 0 {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.stopping
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	var exit *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("the gateway ended with %v", err)
	}
}

func TestAnInterruptIs130(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	cmd := exec.Command(s.binary, "sub", s.url("mqtt", ""), "a")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := stderr.Read(make([]byte, 64)); n == 0 { // subscribed
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("%v", err)
	}
}

func TestWhatWasAcknowledgedSurvivesKill9(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	data := filepath.Join(t.TempDir(), "data")
	args := []string{"serve", "--data", data, "--log-format", "json", "--listen", "mqtt://127.0.0.1:0", "--listen", "amqp://127.0.0.1:0"}
	first := launch(t, s.binary, args)
	for i := range 20 {
		if code, _, text := run(t, s.binary, "", "pub", first.url("mqtt", ""), fmt.Sprintf("kept/%d", i), "x", "-r", "-q", "1"); code != 0 {
			t.Fatalf("exit %d, %s", code, text)
		}
	}
	first.kill(t)
	second := launch(t, s.binary, args)
	t.Cleanup(func() { second.kill(t) })
	code, out, text := run(t, s.binary, "", "sub", second.url("mqtt", ""), "kept/#", "-C", "20", "-W", "10", "-q", "1")
	if code != 0 || strings.Count(out, "x\n") != 20 {
		t.Errorf("exit %d, %q, %s", code, out, text)
	}
}

func TestX3_X4_X5_PubAndSubKeepTheirPromises(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	var lines strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, "line %d\n", i)
	}
	for _, scheme := range []string{"mqtt", "stomp", "amqp"} {
		url := s.url(scheme, "")
		cmd := exec.Command(s.binary, "sub", url, scheme+"/#", "-q", "1", "-C", "300", "-W", "20")
		var out bytes.Buffer
		cmd.Stdout = &out
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 64)
		n, err := stderr.Read(first)
		if want := "subscribed " + scheme + "/# qos 1\n"; err != nil || string(first[:n]) != want {
			t.Errorf("%s: %q, %v", scheme, first[:n], err)
		}
		if code, _, text := run(t, s.binary, lines.String(), "pub", url, scheme+"/lines", "-l", "-q", "1"); code != 0 {
			t.Errorf("%s: exit %d, %s", scheme, code, text)
		}
		if err := cmd.Wait(); err != nil || out.String() != lines.String() {
			t.Errorf("%s: %v, %d lines, in order: %v", scheme, err, strings.Count(out.String(), "\n"), out.String() == lines.String())
		}
	}
}

func TestExitCodesOfPubAndSub(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for _, c := range []struct {
		code int
		args []string
	}{
		{27, []string{"sub", s.url("mqtt", ""), "nothing/here", "-C", "1", "-W", "0.2"}},
		{27, []string{"sub", s.url("stomp", ""), "nothing/here", "-C", "1", "-W", "0.2"}},
		{27, []string{"sub", s.url("amqp", ""), "nothing/here", "-C", "1", "-W", "0.2"}},
		{27, []string{"sub", s.url("mqttsn", ""), "nothing/here", "-C", "1", "-W", "0.2"}},
		{4, []string{"pub", "mqtt://127.0.0.1:1", "a", "b"}},
		{4, []string{"pub", "stomp://127.0.0.1:1", "a", "b"}},
		{4, []string{"sub", "ws://127.0.0.1:1/mqtt", "a"}},
		{4, []string{"pub", "amqp://no-such-host.invalid", "a", "b"}},
		{6, []string{"pub", s.url("mqtt", ""), "a/+", "b", "-q", "1"}},
		{0, []string{"pub", s.url("mqttsn", ""), "ab", "b", "-q", "-1"}},
	} {
		if code, _, text := run(t, s.binary, "", c.args...); code != c.code {
			t.Errorf("%v: exit %d, want %d: %s", c.args, code, c.code, text)
		}
	}
}
