package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// childOf is the variable that makes TestDescriptorsOfAChild the gateway of TestSecurity_R3; it names a configuration.
const childOf = "ENTREPOT_TEST_DESCRIPTORS"

// most is RLIMIT_NOFILE of the child.
const most = 700

// TestDescriptorsOfAChild is no test but the child of TestSecurity_R3: a gateway that few descriptors are left to, on command.
func TestDescriptorsOfAChild(t *testing.T) {
	file := os.Getenv(childOf)
	if file == "" {
		return
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		t.Fatal(err)
	}
	read := func() (*config.Config, map[string]any, config.Problems) {
		in := config.Input{File: file, Sections: Sections(), Protocols: Protocols()}
		c, problems := config.Read(in)
		return c, in.Sections, problems
	}
	c, sections, problems := read()
	if problems.Failed() {
		t.Fatal(problems)
	}
	g, err := Open(Options{Config: c, Sections: sections, Version: "1", Read: read, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	for _, l := range g.Listening() {
		fmt.Println("listening", l.URL)
	}
	var held []*os.File
	free := func(n int) { // all but n descriptors are taken
		for {
			f, err := os.Open("/dev/null")
			if err != nil {
				break
			}
			held = append(held, f)
		}
		for ; n > 0 && len(held) > 0; n-- {
			held[len(held)-1].Close()
			held = held[:len(held)-1]
		}
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "none":
			free(0)
		case "few":
			free(20)
		case "release":
			for _, f := range held {
				f.Close()
			}
			held = nil
		case "reload":
			fmt.Println("reload", !g.Reload(ctx).Failed(), len(g.Listening()))
			continue
		case "refused":
			fmt.Println("refused", g.metrics.Counter("limit_refused_total", "mqtt", "descriptors").Load(), len(g.Listening()))
			continue
		}
		fmt.Println("ok")
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// child is the gateway in a process of its own.
type child struct {
	t     *testing.T
	in    io.Writer
	out   *bufio.Scanner
	addrs []string
	log   *journal
}

func (c *child) line() string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("the child has ended; its log:\n%s", c.log.b.String())
	}
	return c.out.Text()
}

// tell gives a command and returns the answer.
func (c *child) tell(command string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.in, command+"\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

func startChild(t *testing.T) *child {
	t.Helper()
	ca := tlstest.New(t, "authority")
	pair := ca.Issue("localhost")
	dir := t.TempDir()
	file := filepath.Join(dir, "entrepot.yaml")
	text := fmt.Sprintf("node: {data: %q}\nlimits: {overload: {cpu: false}, preauth: {deadline: 1m}}\nlisteners:\n  - mqtt://127.0.0.1:0\n"+
		"  - {url: mqtts://127.0.0.1:0, tls: {cert: %q, key: %q}}\n  - http://127.0.0.1:0\n", filepath.Join(dir, "data"), pair.Cert, pair.Key)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDescriptorsOfAChild$")
	cmd.Env = append(os.Environ(), childOf+"="+file)
	c := &child{t: t, log: &journal{}}
	cmd.Stderr = c.log
	in, err := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err = errors.Join(err, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child: %v\n%s", err, c.log.b.String())
		}
	})
	c.in, c.out = in, bufio.NewScanner(out)
	for range 3 {
		_, u, _ := strings.Cut(c.line(), "://")
		c.addrs = append(c.addrs, u)
	}
	return c
}

func (c *child) dial(i int) *wire {
	c.t.Helper()
	nc, err := net.Dial("tcp", c.addrs[i])
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(time.Minute))
	return &wire{c.t, nc}
}

// Without descriptors, accepting pauses, connections that are there go on, a reload is refused whole; with few, they are left
// to the store, the admin listener and a reload.
func TestSecurity_R3_WithoutDescriptors(t *testing.T) {
	t.Parallel()
	c := startChild(t)
	old := c.dial(0)
	old.send(connect5 + "c5")
	old.want("CONNACK", "\x00\x00")
	old.send(subscribe5)
	old.want("SUBACK", "\x90\x04\x00\x01\x00\x01")
	old.send(publish5)
	old.want("PUBACK", "\x40\x02\x00\x07")

	c.tell("none")
	waiting, secure := c.dial(0), c.dial(1)
	waiting.send(connect5 + "w5")
	eventually(t, func() bool { return !strings.HasPrefix(c.tell("refused"), "refused 0 ") })
	old.send(publish0)
	old.want("QoS 0 goes on", "\x30\x05\x00\x01a\x00y")
	old.send("\x32\x07\x00\x01a\x00\x09\x00z")
	old.want("an answer", "\x00\x09")
	if got := c.tell("reload"); got != "reload false 3" {
		t.Errorf("without descriptors: %s", got)
	}
	eventually(t, func() bool { return c.log.count("level=refuse") > 0 })

	c.tell("release")
	c.tell("few")
	late := c.dial(0)
	late.send(connect5 + "l5")
	if b, err := io.ReadAll(late); len(b) > 0 {
		t.Errorf("a connection got one of the last descriptors: % x, %v", b, err)
	}
	if code, _ := get(t, "http://"+c.addrs[2]+"/healthz"); code != 200 {
		t.Errorf("healthz with few descriptors: %d", code)
	}
	if got := c.tell("reload"); got != "reload true 3" {
		t.Errorf("with few descriptors: %s", got)
	}

	c.tell("release")
	again := c.dial(0)
	tc := tls.Client(secure, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		again = c.dial(1)
		if err := tls.Client(again, &tls.Config{InsecureSkipVerify: true}).Handshake(); err != nil {
			t.Errorf("TLS afterwards: %v", err)
		}
	}
	eventually(t, func() bool { return c.log.count("level=normal was=refuse") > 0 })
	last := c.dial(0)
	last.send(connect5 + "z5")
	last.want("CONNACK", "\x00\x00")
	last.send("\x32\x07\x00\x01a\x00\x0a\x00q")
	last.want("PUBACK", "\x40\x02\x00\x0a")
	if n := c.log.count("level=refuse"); n != 1 {
		t.Errorf("%d lines:\n%s", n, c.log.b.String())
	}
	if n := c.log.count("reason=descriptors"); n > 6 {
		t.Errorf("%d lines of refusals", n)
	}
}
