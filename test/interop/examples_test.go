package interop

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// blocks are the commands of a page, one list for each block of shell.
func blocks(t *testing.T, page string) (all [][]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		all = append(all, strings.Split(strings.TrimSpace(m[1]), "\n"))
	}
	return all
}

// TestX6_EveryCommandInTheDocumentsRuns runs every command line of the README, of docs/commands.md, docs/security.md and docs/operations.md, on the ports of a gateway of its own.
func TestX6_EveryCommandInTheDocumentsRuns(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	count := 0
	for _, page := range []string{"../../README.md", "../../docs/commands.md", "../../docs/security.md", "../../docs/operations.md"} {
		for _, block := range blocks(t, page) {
			for _, line := range block {
				if strings.HasPrefix(line, "make ") {
					continue // this test is part of it
				}
				count++
				s.example(t, line)
			}
		}
	}
	if count < 15 {
		t.Errorf("only %d commands were found", count)
	}
}

// stores makes the backup and the data directory that a line needs.
func (s *server) stores(t *testing.T, dir, line string) {
	t.Helper()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), s.binary, append([]string{"store"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("store %v: %v\n%s", args, err, out)
		}
	}
	if !strings.Contains(line, "backup monday") {
		run("backup", "monday", "--url", s.url("http", ""))
	}
	if strings.Contains(line, "--data") && !strings.Contains(line, "restore") {
		run("backup", "ready", "--url", s.url("http", ""))
		run("restore", "ready", "--data", "entrepot-data")
	}
}

var portless = regexp.MustCompile(`(mqtt|ws|mqttsn|coap|stomp|amqp|http)://127\.0\.0\.1(:\d+)?`)

// example runs one line in a folder that holds the files which examples name.
func (s *server) example(t *testing.T, line string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"order.json": "{}", "entrepot.yaml": "log: {level: info}\n", "entrepot.yaml.old": "log: {level: warn}\n", "mosquitto.conf": "listener 1883\nallow_anonymous true\n",
		"users.yaml": "users: [{name: gw1, role: [sensor], password: none}]\n", "secret.txt": "sesame\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(line, "entrepot store ") {
		s.stores(t, dir, line)
	}
	serves := strings.Contains(line, "entrepot serve")
	command := strings.ReplaceAll(line, "go run ./cmd/entrepot", "entrepot")
	command = strings.ReplaceAll(command, "$(pidof entrepot)", "1")
	command = strings.ReplaceAll(command, "/etc/entrepot/entrepot.yaml", "entrepot.yaml")
	command = strings.ReplaceAll(command, "/etc/entrepot", filepath.Join(dir, "etc"))
	command = strings.ReplaceAll(command, "--as entrepot", "--as $(id -un)")
	if serves { // its default ports may be taken by another
		command = regexp.MustCompile(`(://127\.0\.0\.1):\d+`).ReplaceAllString(command, "$1:0") + " --listen http://127.0.0.1:0 --log-format text"
	} else {
		command = portless.ReplaceAllStringFunc(command, func(u string) string { return s.url(strings.SplitN(u, ":", 2)[0], "") })
		command = strings.ReplaceAll(command, "-p 1883", "-p "+s.port["mqtt"])
	}
	if strings.Contains(command, " bench ") {
		command = regexp.MustCompile(`--time \w+`).ReplaceAllString(command, "") + " --time 200ms --warmup 50ms"
	}
	receives := strings.Contains(command, "entrepot sub") || strings.Contains(command, "mosquitto_sub")
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+command)
	if strings.Contains(command, "|") {
		cmd = exec.CommandContext(ctx, "sh", "-c", command)
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(s.binary)+":"+os.Getenv("PATH"))
	out := &signalled{want: map[bool]string{true: "msg=ready", false: "subscribed "}[serves], seen: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if serves || receives {
		s.until(t, line, out, !strings.Contains(command, "mosquitto_sub"))
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // what it did until then is what counts
		return
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v\n%s", line, err, out.text.String())
	}
}

// until waits for the line that tells that the command works.
func (s *server) until(t *testing.T, line string, out *signalled, tells bool) {
	t.Helper()
	if !tells {
		return
	}
	select {
	case <-out.seen:
	case <-time.After(20 * time.Second):
		t.Errorf("%s: %s", line, out.text.String())
	}
}

// signalled closes seen when the output holds what is wanted. Only the goroutine that copies the output writes to it.
type signalled struct {
	want string
	seen chan struct{}
	text bytes.Buffer
	done bool
}

func (s *signalled) Write(p []byte) (int, error) {
	s.text.Write(p)
	if !s.done && strings.Contains(s.text.String(), s.want) {
		s.done = true
		close(s.seen)
	}
	return len(p), nil
}
