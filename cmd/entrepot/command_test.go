package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
)

// execute runs one command line in this process.
func execute(t *testing.T, stdin string, args ...string) (code int, out, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := root(streams{in: strings.NewReader(stdin), out: &o, err: &e})
	cmd.SetArgs(args)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	code, text := exitOf(cmd.ExecuteContext(ctx))
	return code, o.String(), e.String() + text
}

func TestUsageMistakesExitWith2AndOneSentence(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"nonsense"},
		{"serve", "--no-such-flag"},
		{"serve", "extra"},
		{"serve", "--log-level", "loud"},
		{"serve", "--log-format", "xml"},
		{"serve", "--listen", "mqt://127.0.0.1"},
		{"serve", "--listen", "mqttsn://127.0.0.1:99999"},
		{"serve", "--listen", "stomp://127.0.0.1?no_such_key=1"},
		{"pub"},
		{"pub", "mqtt://127.0.0.1", "a"},
		{"pub", "mqtt://127.0.0.1", "a", "b", "-m", "c"},
		{"pub", "nonsense", "a", "b"},
		{"pub", "http://127.0.0.1", "a", "b"},
		{"pub", "mqttsn://127.0.0.1", "a", "b", "--header", "k=v"},
		{"pub", "mqttsn://127.0.0.1", "a", "b", "--content-type", "text/plain"},
		{"pub", "mqtt://127.0.0.1", "a", "b", "-V", "3.1.1", "--expiry", "5s"},
		{"pub", "amqp://127.0.0.1", "a", "b", "-q", "2"},
		{"pub", "mqtt://127.0.0.1", "a", "b", "-q", "-1"},
		{"pub", "mqtt://127.0.0.1", "a", "b", "-V", "9"},
		{"pub", "amqp://127.0.0.1", "a", "b", "--header", "nothing"},
		{"pub", "amqp://127.0.0.1", "a", "b", "--repeat", "0"},
		{"pub", "mqtts://127.0.0.1", "a", "b", "--psk-file", "keys.psk"},
		{"pub", "coaps://127.0.0.1", "a", "b", "--psk-identity", "dev1"},
		{"pub", "coap://127.0.0.1", "a", "b", "--cafile", "ca.pem"},
		{"sub", "mqtt://127.0.0.1"},
		{"sub", "mqtt://127.0.0.1", "a", "-o", "xml"},
		{"sub", "mqtt://127.0.0.1", "a", "-F", "%z"},
		{"sub", "amqp://127.0.0.1", "a", "-q", "2"},
		{"bench"},
		{"bench", "--from", "mqtt://127.0.0.1"},
		{"bench", "mqtt://127.0.0.1", "--to", "mqtt://127.0.0.1"},
	} {
		code, out, text := execute(t, "", args...)
		if code != exitUsage || out != "" || text == "" || strings.Contains(text, "goroutine") {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, text)
		}
	}
}

func TestConfigurationMistakesExitWith3(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "e.yaml")
	if err := os.WriteFile(file, []byte("limits:\n  conections: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`did you mean "connections"?`:                                         {"serve", "--config", file},
		"/proc/none cannot be made: there is no such file":                    {"config", "init", "/proc/none"},
		"there is no such file":                                               {"serve", "--config", file + ".none"},
		"--set limits.connections=x":                                          {"serve", "--set", "limits.connections=x"},
		"can be reached from other machines":                                  {"serve", "--listen", "stomp://0.0.0.0:0"},
		"it must be debug, info, warn or error":                               {"serve", "--set", "log.level=loud"},
		"--password-file /no/such/file cannot be read: there is no such file": {"pub", "amqp://127.0.0.1", "a", "b", "--password-file", "/no/such/file"},
		"no such file or directory":                                           {"pub", "amqp://127.0.0.1", "a", "-f", "/no/such/file"},
		"1 error. Nothing was started.":                                       {"serve", "--set", "nonsense"},
		"log.file: /no/such/dir/x cannot be opened: there is no such file":    {"serve", "--set", "log.file=/no/such/dir/x"},
	} {
		code, _, text := execute(t, "", args...)
		if code != exitConfig || !strings.Contains(text, want) {
			t.Errorf("%v: exit %d, %s", args, code, text)
		}
	}
}

func TestX1_X2_ARefusedPortIsExit4InEveryProtocol(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"mqtt", "mqttsn", "coap", "stomp", "amqp"} {
		network := "tcp"
		if s, _ := config.LookupScheme(scheme); s.Network == "udp" {
			network = "udp"
		}
		url := scheme + "://" + closedPort(t, network)
		code, _, text := execute(t, "", "pub", url, "a/b", "x", "-q", "1", "--timeout", "500ms")
		if code != exitUnreachable || !strings.HasPrefix(text, url+": ") || !strings.Contains(text, "Try: entrepot serve") {
			t.Errorf("%s: exit %d, %s", url, code, text)
		}
	}
}

// closedPort is a port of this machine that nobody listens on.
func closedPort(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestVersionPrintsJSON(t *testing.T) {
	t.Parallel()
	code, out, _ := execute(t, "", "version", "--json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); code != 0 || err != nil || b.Version == "" || b.Go == "" {
		t.Error(code, out, err)
	}
	if code, out, _ := execute(t, "", "version"); code != 0 || !strings.HasPrefix(out, "entrepot "+version) {
		t.Error(code, out)
	}
}

func TestHelpShowsExamplesAndCompletionExists(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"serve", "pub", "sub", "bench"} {
		if code, out, _ := execute(t, "", c, "-h"); code != 0 || !strings.Contains(out, "Examples:") {
			t.Error(c, code, out)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, text := execute(t, "", "completion", shell); code != 0 || !strings.Contains(out, "entrepot") {
			t.Error(shell, code, text)
		}
	}
}

func TestExitCodesFollowTheKindOfFailure(t *testing.T) {
	t.Parallel()
	for kind, want := range map[dial.Kind]int{dial.Failed: 1, dial.Usage: 2, dial.Unreachable: 4, dial.Login: 5, dial.Denied: 6} {
		if code, _ := exitOf(failed("x", &dial.Error{Kind: kind, Err: errors.New("y")})); code != want {
			t.Errorf("%d: exit %d", kind, code)
		}
	}
	if code, text := exitOf(&net.OpError{Op: "write", Err: syscall.EPIPE}); code != 0 || text != "" {
		t.Error(code, text)
	}
	if code, _ := exitOf(context.Canceled); code != exitInterrupted {
		t.Error(code)
	}
}

func TestPayloadsComeFromOneSource(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p")
	if err := os.WriteFile(file, []byte("in a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source source
		args   []string
		stdin  string
		want   []string
	}{
		{source{}, []string{"arg"}, "", []string{"arg"}},
		{source{message: "", given: true}, nil, "", []string{""}},
		{source{file: file}, nil, "", []string{"in a file\n"}},
		{source{file: "-"}, nil, "std\nin", []string{"std\nin"}},
		{source{lines: true}, nil, "a\r\nb\n\nd", []string{"a", "b", "", "d"}},
		{source{null: true}, nil, "", []string{""}},
	} {
		next, err := c.source.open(strings.NewReader(c.stdin), c.args)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			p, more, err := next()
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				break
			}
			got = append(got, string(p))
		}
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%+v: %q", c.source, got)
		}
	}
}

// Not parallel: the limit is the process's.
func TestC7_TheHeapMayTakeNineTenthsOfTheGroupsMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	if err := limitMemory(memlimit.Limit(1000 << 20)); err != nil {
		t.Fatal(err)
	}
	if got := debug.SetMemoryLimit(-1); got != 900<<20 {
		t.Errorf("%d", got)
	}
	t.Setenv("GOMEMLIMIT", "5MiB") // the operator's own word
	if err := limitMemory(memlimit.Limit(500 << 20)); err != nil || debug.SetMemoryLimit(-1) != 900<<20 {
		t.Errorf("%v: %d", err, debug.SetMemoryLimit(-1))
	}
}

func TestC8_ADefectLeavesOneLineAndAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	crashDir.Store(&dir)
	defer crashDir.Store(nil)
	var b bytes.Buffer
	func() {
		defer func() { crashed(recover(), &b) }()
		panic("a test broke this")
	}()
	path := filepath.Join(dir, fmt.Sprintf("entrepot-crash-%d.txt", os.Getpid()))
	if line := b.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, path) || strings.Contains(line, "goroutine") {
		t.Errorf("%q", line)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "a test broke this") || !strings.Contains(string(text), "goroutine") {
		t.Errorf("%v: %s", err, text)
	}
}
