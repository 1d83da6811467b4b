package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a gateway of URLs and settings.
func open(t *testing.T, urls []string, set ...string) (*Gateway, error) {
	t.Helper()
	in := config.Input{Listen: urls, Set: append([]string{"node.data=memory", "limits.overload.cpu=false"}, set...), Sections: Sections(), Protocols: Protocols()}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	return Open(Options{Config: c, Sections: in.Sections, Version: "1", Commit: "c"})
}

// running runs a gateway until the returned function is called.
func running(t *testing.T, g *Gateway) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	for tick := time.Tick(time.Millisecond); !g.Started() && ctx.Err() == nil; {
		<-tick
	}
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestEveryProtocolIsServed(t *testing.T) {
	urls := []string{"mqtt://127.0.0.1:0", "ws://127.0.0.1:0", "mqttsn://127.0.0.1:0", "coap://127.0.0.1:0", "stomp://127.0.0.1:0", "amqp://127.0.0.1:0", "http://127.0.0.1:0"}
	g, err := open(t, urls)
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, g)
	list := g.Listening()
	if len(list) != len(urls) {
		t.Fatalf("%+v", list)
	}
	for i, l := range list {
		if strings.HasSuffix(l.URL, ":0") || !strings.HasPrefix(l.URL, strings.TrimSuffix(urls[i], "0")) || l.Note == "" {
			t.Errorf("%+v", l)
		}
	}
	api := list[6].URL
	if code, text := get(t, api+"/readyz?verbose"); code != 200 || !strings.Contains(text, "listener "+list[0].URL) {
		t.Error(code, text)
	}
	if code, text := get(t, api+"/metrics"); code != 200 || !strings.Contains(text, `entrepot_build_info{commit="c",go=`) || !strings.Contains(text, "entrepot_subscriptions{namespace=\"default\"} 0") {
		t.Error(code, text)
	}
	if err := g.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	stop()
	if p := g.Problems(); len(p) == 0 || p[0] != "stopping" {
		t.Error(p)
	}
}

func TestBeforeRunTheGatewayIsStarting(t *testing.T) {
	g, err := open(t, []string{"stomp://127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if p := g.Problems(); len(p) != 1 || p[0] != "starting" || g.Started() || g.Details() != nil {
		t.Error(p)
	}
	running(t, g)()
}

func TestATakenAddressGivesEverythingBack(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := probe.Addr().String()
	probe.Close()
	for _, scheme := range []string{"stomp", "http"} {
		_, err := open(t, []string{"mqtt://" + free, scheme + "://" + taken.Addr().String()})
		var be *listen.BindError
		if !errors.As(err, &be) || !be.InUse() || be.PID == 0 {
			t.Fatalf("%s: %v", scheme, err)
		}
		again, err := net.Listen("tcp", free)
		if err != nil {
			t.Fatalf("%s: the other address is still held: %v", scheme, err)
		}
		again.Close()
	}
}

func TestAListenersOwnKeysHoldForItAlone(t *testing.T) {
	g, err := open(t, []string{"stomp://127.0.0.1:0?max_headers=20", "stomp://127.0.0.1:0?server_header=none", "stomp://127.0.0.1:0"}, "stomp.server_header=here")
	if err != nil {
		t.Fatal(err)
	}
	defer running(t, g)()
	for i, want := range []string{"server:here", "", "server:here"} {
		frame := stompConnect(t, strings.TrimPrefix(g.Listening()[i].URL, "stomp://"))
		if got := strings.Contains(frame, "server:"); got != (want != "") || want != "" && !strings.Contains(frame, want) {
			t.Errorf("listener %d: %q", i, frame)
		}
	}
}

// stompConnect returns what a STOMP server answers to CONNECT.
func stompConnect(t *testing.T, address string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("CONNECT\naccept-version:1.2\nhost:/\n\n\x00")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1024)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestTheStoreSaysWhoseItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g, err := open(t, []string{"stomp://127.0.0.1:0"}, "node.data="+dir, "store.sync=never")
	if err != nil {
		t.Fatal(err)
	}
	defer running(t, g)()
	if _, err := open(t, []string{"stomp://127.0.0.1:0"}, "node.data="+dir); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Error(err)
	}
}

func TestFreePortPassesTakenOnes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, text, _ := net.SplitHostPort(l.Addr().String())
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	a, err := config.ParseAddress("mqtt://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	next := a
	next.Port++
	got := FreePorts([]config.Address{a, next, a})
	if got[0] <= port || got[2] <= port || got[0] == got[1] || got[0] == got[2] || got[1] == got[2] {
		t.Errorf("%d is taken, and %d were offered", port, got)
	}
}

func TestLimitsReachLoopsAndCore(t *testing.T) {
	t.Parallel()
	in := config.Input{Sections: Sections(), Set: []string{"limits.message_bytes=2KiB", "limits.preauth.connections=7", "limits.accept_rate=unlimited",
		"limits.queues.bindings=3", "limits.session_expiry_max=1d", "limits.preauth.deadline=2s", "limits.trusted=[]"}}
	if _, err := config.Load(in); err != nil {
		t.Fatal(err)
	}
	l := in.Sections["limits"].(*Limits)
	a, c := l.adapters(), l.core()
	if a.MessageBytes != 2048 || a.PreauthConnections != 7 || a.AcceptRate < 1<<29 || a.PreauthDeadline.Seconds() != 2 || c.Bindings != 3 || c.SessionExpiryMS != 86_400_000 || a.Trusted == nil || len(a.Trusted) != 0 {
		t.Errorf("%+v %+v", a, c)
	}
	mine, theirs := DefaultLimits().adapters(), adapters.Limits{}.WithDefaults()
	mine.Trusted = nil
	if !reflect.DeepEqual(mine, theirs) {
		t.Errorf("the defaults here are not those of package adapters: %+v, %+v", mine, theirs)
	}
}
