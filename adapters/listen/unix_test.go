package listen_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/listen"
)

// onSocket binds a server to a Unix socket.
func onSocket(t *testing.T, l listen.Listener) (*listen.Server, error) {
	t.Helper()
	h := host(t)
	s, err := listen.New(listen.Options{Host: h, Rooms: rooms(t, h), Listeners: []listen.Listener{l}})
	if err != nil {
		t.Fatal(err)
	}
	return s, s.Bind()
}

func TestUnix_MH4_ModeAndGroup(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0, 0o600, 0o666} {
		path := filepath.Join(t.TempDir(), "s")
		serve(t, rigOptions{urls: []string{"line+unix://" + path}, change: func(o *listen.Options) {
			o.Listeners[0].Mode, o.Listeners[0].Group = mode, fmt.Sprint(os.Getgid())
		}})
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := mode
		if mode == 0 {
			want = 0o660
		}
		if info.Mode().Perm() != want {
			t.Errorf("mode %o, want %o", info.Mode().Perm(), want)
		}
	}
	path := filepath.Join(t.TempDir(), "s")
	_, err := onSocket(t, listen.Listener{URL: "line+unix://" + path, Group: "no such group"})
	if err == nil || !strings.Contains(err.Error(), "group no such group is unknown") {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket stays after a failed start")
	}
}

func TestUnix_MH4_OnlyADeadSocketIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	r := serve(t, rigOptions{urls: []string{"line+unix://" + stale}})
	r.client(t, 0).login("a")

	_, err = onSocket(t, listen.Listener{URL: "line+unix://" + stale})
	var in *listen.BindError
	if !errors.As(err, &in) || !in.InUse() {
		t.Errorf("a living socket: %v", err)
	}
	r.client(t, 0).login("b")

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = onSocket(t, listen.Listener{URL: "line+unix://" + file}); err == nil || !strings.Contains(err.Error(), "which is no socket") {
		t.Errorf("a file: %v", err)
	}
	if b, _ := os.ReadFile(file); string(b) != "keep" {
		t.Error("the file was touched")
	}

	r.stop()
	if _, err := os.Lstat(stale); err == nil {
		t.Error("the socket stays after the end")
	}
}

func TestUnix_MH4_ASocketOfSomebodyElseStaysAtTheEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	r := serve(t, rigOptions{urls: []string{"line+unix://" + path}})
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r.stop()
	if _, err := os.Lstat(path); err != nil {
		t.Error("the socket of another was removed")
	}
}

func TestUnix_MH4_LoopbackAndUID(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line+unix://" + filepath.Join(t.TempDir(), "s")}})
	c := r.client(t, 0)
	uid := fmt.Sprintf("unix:uid=%d", os.Getuid())
	c.send("WHO\n")
	if l := c.line(); !strings.HasPrefix(l, uid+" ") || !strings.Contains(l, "loopback=true") {
		t.Errorf("%q", l)
	}
	c.login("a")
	c.send("QUIT\n")
	c.expect("BYE")
	c.eof()
	until(t, "logged", func() bool { return strings.Contains(r.log.String(), "msg=client.disconnected") })
	if !strings.Contains(r.log.String(), "addr=\""+uid+"\"") {
		t.Errorf("log:\n%s", r.log)
	}
}
