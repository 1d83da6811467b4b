package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// What makes TestChild the gateway of a test: its configuration, and RLIMIT_NOFILE.
const (
	childOf = "ENTREPOT_TEST_CHILD"
	mostOf  = "ENTREPOT_TEST_DESCRIPTORS"
)

// TestChild is no test but the child of those that need a process with limits of its own. On command it takes its descriptors
// away, and reloads.
func TestChild(t *testing.T) {
	file := os.Getenv(childOf)
	if file == "" {
		return
	}
	if n, err := strconv.ParseUint(os.Getenv(mostOf), 10, 64); err == nil {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			t.Fatal(err)
		}
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
	g, err := Open(Options{Config: c, Sections: sections, Version: "1", Read: read, Disk: childDisk(), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
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
	cmd   *exec.Cmd
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

// startChild runs a gateway of mqtt, mqtts and http with the keys of limits.
func startChild(t *testing.T, limits string, environ ...string) *child {
	t.Helper()
	ca := tlstest.New(t, "authority")
	pair := ca.Issue("localhost")
	dir := t.TempDir()
	file := filepath.Join(dir, "entrepot.yaml")
	text := fmt.Sprintf("node: {data: %q}\nlimits: {%s, preauth: {deadline: 1m}}\nstore: {sync: interval}\nlisteners:\n  - mqtt://127.0.0.1:0\n"+
		"  - {url: mqtts://127.0.0.1:0, tls: {cert: %q, key: %q}}\n  - http://127.0.0.1:0\n", filepath.Join(dir, "data"), limits, pair.Cert, pair.Key)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.timeout=30m")
	cmd.Env = append(append(os.Environ(), childOf+"="+file), environ...)
	c := &child{t: t, log: &journal{}, cmd: cmd}
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
