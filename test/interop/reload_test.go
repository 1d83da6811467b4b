package interop

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// freePort is a port that nobody has just now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// subscriber is a mosquitto_sub that prints its packets and messages.
type subscriber struct {
	t     *testing.T
	lines chan string
}

func subscribe(t *testing.T, args ...string) *subscriber {
	t.Helper()
	cmd := exec.Command("stdbuf", append([]string{"-oL", "mosquitto_sub", "-h", "localhost", "-d", "-q", "1", "-t", "live/#"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; make setup installs it", err)
	}
	s := &subscriber{t: t, lines: make(chan string, 1000)}
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			s.lines <- in.Text()
		}
		close(s.lines)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s.until("SUBACK")
	return s
}

// until waits for a line; a second CONNECT on the way fails the test.
func (s *subscriber) until(text string) {
	s.t.Helper()
	late := time.After(20 * time.Second)
	connects := 0
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				s.t.Fatalf("mosquitto_sub ended before %q", text)
			}
			if strings.Contains(line, "sending CONNECT") {
				connects++
			}
			if strings.Contains(line, text) {
				if text != "SUBACK" && connects > 0 {
					s.t.Error("the client had to connect again")
				}
				return
			}
		case <-late:
			s.t.Fatalf("no %q", text)
		}
	}
}

// metrics is what the gateway counts.
func (s *server) metrics(t *testing.T) string {
	t.Helper()
	resp, err := http.Get(s.url("http", "/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// hangUp sends SIGHUP and waits until the reload has ended as it should.
func (p *process) hangUp(t *testing.T, result string) {
	t.Helper()
	count := func() (n int) {
		for _, line := range strings.Split(p.metrics(t), "\n") {
			if rest, ok := strings.CutPrefix(line, `entrepot_config_reloads_total{result="`+result+`"} `); ok {
				_, _ = fmt.Sscan(rest, &n)
			}
		}
		return n
	}
	before := count()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for count() == before {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no reload was %s", result)
		}
	}
}

func TestC6_HangUpReloadsWhileClientsStay(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	leaf := ca.Issue("server")
	plain, secure, added, gone, admin := freePort(t), freePort(t), freePort(t), freePort(t), freePort(t)
	file := filepath.Join(ca.Dir, "entrepot.yaml")
	write := func(listeners, more string) {
		t.Helper()
		text := fmt.Sprintf("node: {data: memory}\nlisteners:\n  - url: mqtt://127.0.0.1:%s\n  - {url: \"mqtts://127.0.0.1:%s\", tls: {cert: server.crt, key: server.key}}\n  - url: http://127.0.0.1:%s\n%s%s",
			plain, secure, admin, listeners, more)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	extra := func(port string) string { return "  - url: mqtt://127.0.0.1:" + port + "\n" }
	write(extra(gone), "")
	p := launch(t, binary(t), []string{"serve", "--config", file, "--log-format", "json"})
	t.Cleanup(func() { p.stop(t) })
	clients := []*subscriber{
		subscribe(t, "-p", plain, "-V", "5"), subscribe(t, "-p", secure, "--cafile", ca.File), subscribe(t, "-p", gone),
	}
	publish := func(port, text string) {
		t.Helper()
		if code, out := output(t, "", "mosquitto_pub", "-h", "localhost", "-p", port, "-t", "live/a", "-m", text, "-q", "1"); code != 0 {
			t.Errorf("port %s: exit %d, %s", port, code, out)
		}
		for _, c := range clients {
			c.until(text)
		}
	}
	publish(plain, "before")

	// One listener more, one less, and another certificate in the same files.
	old, err := os.ReadFile(leaf.Cert)
	if err != nil {
		t.Fatal(err)
	}
	ca.Issue("server")
	write(extra(added), "limits: {message_bytes: 1MiB}\n")
	p.hangUp(t, "ok")
	publish(added, "after")
	if code, out := output(t, "", "mosquitto_pub", "-h", "localhost", "-p", gone, "-t", "live/a", "-m", "x"); code == 0 {
		t.Errorf("a listener that has gone accepts: %s", out)
	}
	block, _ := pem.Decode(old)
	_, shown := output(t, "", "openssl", "s_client", "-connect", "127.0.0.1:"+secure, "-CAfile", ca.File)
	now, _ := pem.Decode([]byte(shown[max(0, strings.Index(shown, "-----BEGIN CERTIFICATE")):]))
	if now == nil || string(now.Bytes) == string(block.Bytes) {
		t.Error("the certificate has not changed")
	}

	// A broken one changes nothing.
	write(extra(gone), "limmits: {}\n")
	p.hangUp(t, "rejected")
	publish(added, "still")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	p.hangUp(t, "rejected")
	publish(added, "yet")
	if m := p.metrics(t); strings.Contains(m, `entrepot_disconnects_total{protocol="mqtt",reason="server shutting down"}`) {
		t.Errorf("clients were told to leave:\n%s", m)
	}
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	publish(plain, "alive") // a dump ends nothing
}

func TestConfigInit_TheResultPassesTheCheckAndServes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etc")
	code, out, text := run(t, binary(t), "", "config", "init", dir)
	if code != 0 {
		t.Fatal(code, text)
	}
	_, rest, _ := strings.Cut(out, "the password ")
	password, _, _ := strings.Cut(rest, ",")
	if len(password) < 20 || strings.Count(out, password) != 1 {
		t.Fatalf("%q in %s", password, out)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 7 { // with the lock of users.yaml
		t.Fatal(names, err)
	}
	for _, n := range names {
		info, err := n.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", n.Name(), info.Mode(), err)
		}
		if b, _ := os.ReadFile(filepath.Join(dir, n.Name())); strings.Contains(string(b), password) {
			t.Errorf("%s holds the password", n.Name())
		}
	}
	file := filepath.Join(dir, "entrepot.yaml")
	if code, _, text := run(t, binary(t), "", "config", "init", dir); code != 1 || !strings.Contains(text, "is there already, and nothing was written") {
		t.Errorf("exit %d, %s", code, text)
	}
	yaml, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{":1883", ":8883", ":8084", ":61614", ":5671", ":8088"} { // this machine may use the usual ones
		yaml = []byte(strings.Replace(string(yaml), port+"\n", ":0\n", 1))
		yaml = []byte(strings.Replace(string(yaml), port+" ", ":0 ", 1))
	}
	if err := os.WriteFile(file, yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, text := run(t, binary(t), "", "config", "check", file); code != 0 || !strings.HasPrefix(out, file+": ok") {
		t.Errorf("exit %d, %s%s", code, out, text)
	}
	p := launch(t, binary(t), []string{"serve", "--config", file, "--log-format", "json"})
	t.Cleanup(func() { p.stop(t) })
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--cafile", filepath.Join(dir, "ca.crt")}
	for _, scheme := range []string{"mqtts", "wss", "stomps", "amqps"} {
		url := strings.Replace(p.url(scheme, ""), "127.0.0.1", "localhost", 1)
		args := append([]string{"pub", url, "a/" + scheme, "hi", "-q", "1", "--user", "admin"}, flags...)
		if code, _, text := run(t, binary(t), "", append(args, "--password-file", secret)...); code != 0 {
			t.Errorf("%s: exit %d, %s", scheme, code, text)
		}
	}
	if code, _, text := run(t, binary(t), "", "pub", p.url("mqtt", ""), "a", "hi", "-q", "1"); code != 5 {
		t.Errorf("without a login: exit %d, %s", code, text)
	}
}
