package listen_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/adapters/adaptertest/line"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
)

func host(t *testing.T) *adapters.Host {
	t.Helper()
	router, err := core.New(core.Options{Store: adaptertest.NewStore()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(router.Close)
	return &adapters.Host{Router: router, Log: discard, Metrics: adapters.NewMetrics()}
}

func rooms(t *testing.T, h *adapters.Host) map[string]adapters.Room {
	t.Helper()
	room, err := line.New(h)
	if err != nil {
		t.Fatal(err)
	}
	stream := streamOnly{room.(*line.Room)}
	return map[string]adapters.Room{"line": stream, "lines": stream, "udp": room}
}

func TestBind_C2_TakenPortNamesItsOwnerAndNothingIsLeftBound(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	for _, taken := range []string{"line://" + tcp.Addr().String(), "ws://" + tcp.Addr().String(), "udp://" + udp.LocalAddr().String()} {
		h := host(t)
		s, err := listen.New(listen.Options{Host: h, Rooms: rooms(t, h), Listeners: []listen.Listener{
			{URL: "line://" + free.Addr().String()}, {URL: taken}}})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Bind()
		var e *listen.BindError
		if !errors.As(err, &e) || !e.InUse() || e.URL != taken {
			t.Fatalf("%s: %v", taken, err)
		}
		if e.PID != os.Getpid() || !strings.HasPrefix(err.Error(), taken+": address in use by "+e.Process+" (pid ") {
			t.Errorf("%s: owner: %v", taken, err)
		}
		again, err := net.Listen("tcp", free.Addr().String())
		if err != nil {
			t.Fatalf("the other listener stays bound: %v", err)
		}
		again.Close()
	}
}

func TestBind_C2_UDPIsExclusive(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0"}})
	if c, err := net.ListenPacket("udp", r.addr(0)); err == nil {
		c.Close()
		t.Error("the port could be bound twice")
	}
}

func TestBindReportsOtherErrors(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"line://192.0.2.77:1":                "line://192.0.2.77:1: bind: ",
		"line+unix:///nonexistent/dir/s":     "line+unix:///nonexistent/dir/s: ",
		"udp://192.0.2.77:1":                 "udp://192.0.2.77:1: bind: ",
		"line://no-such-host.invalid:1":      "line://no-such-host.invalid:1: ",
		"line://user:secret@192.0.2.77:1883": "line://192.0.2.77:1883: bind: ",
	} {
		h := host(t)
		s, err := listen.New(listen.Options{Host: h, Rooms: rooms(t, h), Listeners: []listen.Listener{{URL: url}}})
		if err != nil {
			t.Fatal(err)
		}
		if err = s.Bind(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNewRefusesListenersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"nosuch://127.0.0.1:1": "no protocol has the scheme nosuch",
		"line://127.0.0.1":     "no port",
		"lines://127.0.0.1:1":  "TLS needs a certificate and a key",
		"wss://127.0.0.1":      "TLS needs a certificate and a key",
		"line+unix://":         "no path",
		"://":                  "not a URL",
	} {
		h := host(t)
		_, err := listen.New(listen.Options{Host: h, Rooms: rooms(t, h), Listeners: []listen.Listener{{URL: url}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestAddrsTellThePortThatWasTaken(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0", "udp://127.0.0.1:0", "ws://127.0.0.1:0"}})
	for i, want := range []string{"line", "line", ""} {
		a := r.Addrs()[i]
		_, port, _ := net.SplitHostPort(a.String())
		if port == "0" || !strings.HasSuffix(a.URL, "://127.0.0.1:"+port) || a.Protocol != want {
			t.Errorf("%+v", a)
		}
	}
}
