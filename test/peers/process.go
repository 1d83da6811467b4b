package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/test/peers/load"
)

// server is a broker that runs.
type server struct {
	peer    peer
	address map[string]string // by protocol: mqtt, ws, ...
	dir     string
	cmd     *exec.Cmd
	also    func() // ends what it needed
	stderr  *bytes.Buffer
	ended   <-chan struct{}
}

// start runs a command on some cores and tells when it has ended. It ends when this process does.
func start(cmd *exec.Cmd, cores []int) (<-chan struct{}, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // an interrupt is for this process alone
	failed, ended := make(chan error), make(chan struct{})
	// The thread has its own affinity, which the child inherits; it stays until the child has ended, since the child
	// is killed with it, and is thrown away with its goroutine.
	go func() {
		runtime.LockOSThread()
		err := pin(cores)
		if err == nil {
			err = cmd.Start()
		}
		failed <- err
		if err == nil {
			_ = cmd.Wait() // most are killed: the code says nothing
		}
		close(ended)
	}()
	return ended, <-failed
}

func pin(cores []int) error {
	var set unix.CPUSet
	for _, c := range cores {
		set.Set(c)
	}
	return unix.SchedSetaffinity(0, &set)
}

// launch starts the command of a server and waits until its first address accepts.
func (s *server) launch(cmd *exec.Cmd, cores []int, ready string) error {
	s.stderr = &bytes.Buffer{}
	cmd.Stderr = s.stderr
	cmd.Stdout = io.Discard
	cmd.Dir = s.dir
	ended, err := start(cmd, cores)
	if err != nil {
		return err
	}
	s.cmd, s.ended = cmd, ended
	if err := answers(ready, ended); err != nil {
		return fmt.Errorf("%w: %s", err, s.stderr)
	}
	return nil
}

// answers waits until an address accepts, or the process that should have it has ended.
func answers(address string, ended <-chan struct{}) error {
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ended:
			return errors.New("it ended at its start")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.New("it was not ready in time")
}

// stop ends the server by its process id and removes its folder.
func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
		select {
		case <-s.ended:
		case <-time.After(10 * time.Second):
			_ = s.cmd.Process.Kill()
			<-s.ended
		}
	}
	if s.also != nil {
		s.also()
	}
	_ = os.RemoveAll(s.dir)
}

// cpu is what the process and all its threads, ended ones too, have used: its CPU clock, in nanoseconds.
func (s *server) cpu() time.Duration {
	var t unix.Timespec
	const scheduled = 2 // CPUCLOCK_SCHED of a whole process
	if unix.ClockGettime(int32(^s.cmd.Process.Pid)<<3|scheduled, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// resident is the memory of the process in bytes: Rss of smaps_rollup.
func (s *server) resident() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Rss:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return n * 1024, err
		}
	}
	return 0, errors.New("smaps_rollup has no Rss")
}

// settled is the memory once it has not moved for a second and a half: what is collected when it is quiet is gone then.
func (s *server) settled(e *load.Engine) (float64, error) {
	const still, most = 3, 16 // readings
	last, err := s.resident()
	for same, n := 0, 0; same < still && n < most; n++ {
		if err != nil {
			return 0, err
		}
		if err := e.Idle(500 * time.Millisecond); err != nil {
			return 0, err
		}
		var now float64
		now, err = s.resident()
		if diff := now - last; diff < 64<<10 && diff > -64<<10 {
			same++
		} else {
			same = 0
		}
		last = now
	}
	return last, err
}

// freePort is one that nobody had a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// ports assigns a free one to each protocol.
func ports(protocols ...string) (map[string]string, error) {
	all := map[string]string{}
	for _, p := range protocols {
		n, err := freePort()
		if err != nil {
			return nil, err
		}
		all[p] = fmt.Sprintf("127.0.0.1:%d", n)
	}
	return all, nil
}

func port(address string) string {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return p
}

func scratch(name string) (string, error) {
	dir, err := os.MkdirTemp("", "peers-"+name+"-")
	if err != nil {
		return "", err
	}
	return filepath.Clean(dir), nil
}
