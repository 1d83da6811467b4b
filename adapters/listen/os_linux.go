package listen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// reserve is the descriptors that are not for connections (L5).
const reserve = 512

// maxConnections is what the descriptors allow.
func maxConnections() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur > 1<<30 {
		return 1 << 30
	}
	return max(int(r.Cur)-reserve, 16)
}

// storesOwn is how many descriptors no connection gets: they are the store's,
// and what a reload needs. [SECURITY R3]
const storesOwn = 64

// firstSpared is the first descriptor that no connection gets. The kernel
// gives the lowest that is free: so all below it are in use.
func firstSpared() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur > 1<<30 {
		return 1 << 30
	}
	return max(int(r.Cur)-storesOwn, int(r.Cur)/2)
}

// descriptorOf is the descriptor of a connection.
func descriptorOf(nc net.Conn) (n int) {
	if c, ok := nc.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { n = int(fd) }) //nolint:errcheck // 0 then
		}
	}
	return n
}

func isInUse(err error) bool {
	return errors.Is(err, unix.EADDRINUSE) || errors.Is(err, errInUse)
}

func isRefused(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT)
}

// privateFiles keeps what is made for the owner alone, until it is undone.
func privateFiles() (undo func()) {
	old := unix.Umask(0o077)
	return func() { unix.Umask(old) }
}

// Holder finds the process that holds an address, by /proc; "" when it does
// not tell: another user's, or in another container.
func Holder(network, addr string) (name string, pid int) {
	if network == "unix" {
		return "", 0
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0
	}
	n, _ := strconv.Atoi(port)
	for _, inode := range socketsOn(network, n) {
		if name, pid = processOf("socket:[" + inode + "]"); pid != 0 {
			return name, pid
		}
	}
	return "", 0
}

// socketsOn lists the inodes of the sockets that are bound to a port: in
// /proc/net/tcp those that listen.
//
//	sl  local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
func socketsOn(network string, port int) (inodes []string) {
	suffix := fmt.Sprintf(":%04X", port)
	for _, file := range []string{network, network + "6"} {
		text, _ := os.ReadFile("/proc/net/" + file)
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 9 && strings.HasSuffix(f[1], suffix) && (network == "udp" || f[3] == "0A") {
				inodes = append(inodes, f[9])
			}
		}
	}
	return inodes
}

func processOf(socket string) (name string, pid int) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, l := range links {
		if to, err := os.Readlink(l); err != nil || to != socket {
			continue
		}
		id := strings.Split(l, "/")[2]
		comm, err := os.ReadFile("/proc/" + id + "/comm")
		if err != nil {
			continue
		}
		pid, _ = strconv.Atoi(id)
		return string(bytes.TrimSpace(comm)), pid
	}
	return "", 0
}

// readNow reads without waiting.
func readNow(c net.Conn, b []byte) (n int, err error) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return 0, errNothing
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for n, failed = rawRead(int(fd), b); failed == unix.EINTR; n, failed = rawRead(int(fd), b) {
		}
		return true
	})
	switch {
	case err != nil:
		return 0, err
	case failed == unix.EAGAIN:
		return 0, errNothing
	case failed != nil:
		return 0, failed
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
