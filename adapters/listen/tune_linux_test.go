package listen

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// options reads what the kernel has.
func kernelOptions(t *testing.T, fd int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for name, o := range map[string][2]int{"nodelay": {unix.IPPROTO_TCP, unix.TCP_NODELAY}, "keepalive": {unix.SOL_SOCKET, unix.SO_KEEPALIVE}, "idle": {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}} {
		v, err := unix.GetsockoptInt(fd, o[0], o[1])
		if err != nil {
			t.Fatal(err)
		}
		got[name] = v
	}
	return got
}

func TestTCP_MH1_NoDelayAndKeepAliveOfAMinute(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, set := range map[string]func(net.Conn) int{
		"pumped": func(nc net.Conn) int {
			keepAlive(nc)
			fd, err := detach(nc)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		},
	} {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		fd := set(nc)
		defer unix.Close(fd)
		if got := kernelOptions(t, fd); got["nodelay"] != 1 || got["keepalive"] != 1 || got["idle"] != 60 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What the kernel hands out has the options of the socket that it was accepted
// from, so they are set there, once.
func TestTCP_MH1_AcceptedConnectionsInheritNoDelayAndKeepAlive(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err) // not every machine has IPv6
			continue
		}
		at := ln.Addr().(*net.TCPAddr).AddrPort()
		a := new(acceptor)
		if a.fd, err = detach(ln.(*net.TCPListener)); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(a.fd)
		tune(a.fd)
		if _, errno := a.accept(); errno != unix.EAGAIN {
			t.Errorf("nobody has come: %v", errno)
		}
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fd, errno := a.accept()
		if errno != 0 {
			t.Fatal(errno)
		}
		defer unix.Close(fd)
		if got, want := a.addr.addrPort(), addrPort(c.LocalAddr()); got != want {
			t.Errorf("%s: from %v, want %v", address, got, want)
		}
		if got, want := a.local(fd), addrPort(c.RemoteAddr()); got != want {
			t.Errorf("%s: to %v, want %v", address, got, want)
		}
		if got := kernelOptions(t, fd); got["nodelay"] != 1 || got["keepalive"] != 1 || got["idle"] != 60 {
			t.Errorf("%s: %v", address, got)
		}
	}
}
