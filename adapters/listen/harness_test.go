package listen_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/adapters/adaptertest/line"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// rig is a running server that speaks the line protocol everywhere.
type rig struct {
	*listen.Server
	host *adapters.Host
	log  *safeBuffer
	run  func() // by serve
	stop func()
}

type rigOptions struct {
	urls   []string
	limits adapters.Limits
	auth   adapters.Authenticator
	loops  int
	room   func(h *adapters.Host) (adapters.Room, error)
	change func(*listen.Options)
}

// serve starts a server; it is stopped at the end of the test.
func serve(t testing.TB, o rigOptions) *rig {
	t.Helper()
	r := bound(t, o)
	r.run()
	return r
}

// bound is a server that does not serve before its run is called.
func bound(t testing.TB, o rigOptions) *rig {
	t.Helper()
	r := &rig{log: new(safeBuffer)}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	router, err := core.New(core.Options{Store: adaptertest.NewStore()})
	if err != nil {
		t.Fatal(err)
	}
	r.host = &adapters.Host{Router: router, Log: log, Limits: o.limits, Auth: o.auth, Metrics: adapters.NewMetrics()}
	if o.room == nil {
		o.room = line.New
	}
	room, err := o.room(r.host)
	if err != nil {
		t.Fatal(err)
	}
	opts := listen.Options{Host: r.host, Loops: o.loops,
		Rooms: map[string]adapters.Room{"line": streamOnly{room.(*line.Room)}, "lines": nil, "udp": room}}
	opts.Rooms["lines"] = opts.Rooms["line"]
	var secure *tls.Config
	for _, u := range o.urls {
		if secure == nil && (strings.HasPrefix(u, "lines:") || strings.HasPrefix(u, "wss:")) {
			secure = certificate(t)
		}
		opts.Listeners = append(opts.Listeners, listen.Listener{URL: u, TLS: secure})
	}
	if o.change != nil {
		o.change(&opts)
	}
	if r.Server, err = listen.New(opts); err != nil {
		t.Fatal(err)
	}
	if err := r.Bind(); err != nil {
		t.Fatal(err)
	}
	r.run = func() { r.start(t, router) }
	return r
}

func (r *rig) start(t testing.TB, router *core.Router) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		router.Close()
	})
	t.Cleanup(r.stop)
}

// streamOnly hides the datagram side of the line protocol, whose scheme is
// udp here.
type streamOnly struct{ adapters.WebSocketRoom }

// withRoom registers another room.
func withRoom(scheme string, r adapters.Room) func(*listen.Options) {
	return func(o *listen.Options) { o.Rooms[scheme] = r }
}

var discard = slog.New(slog.DiscardHandler)

// addr is the bound address of the listener.
func (r *rig) addr(i int) string { return r.Addrs()[i].String() }

func (r *rig) count(name string, labels ...string) uint64 {
	return r.host.Metrics.Counter(name, labels...).Load()
}

type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// client speaks lines over any transport.
type client struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func newClient(t testing.TB, nc net.Conn) *client {
	t.Helper()
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &client{t: t, nc: nc, r: bufio.NewReader(nc)}
}

func dial(t testing.TB, network, addr string) *client {
	t.Helper()
	nc, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, nc)
}

// client connects to the i-th listener, whatever it speaks.
func (r *rig) client(t testing.TB, i int) *client {
	t.Helper()
	a := r.Addrs()[i]
	scheme, _, _ := strings.Cut(a.URL, "://")
	switch scheme {
	case "line+unix":
		return dial(t, "unix", a.String())
	case "lines":
		nc, err := tls.Dial("tcp", a.String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return newClient(t, nc)
	case "ws", "wss":
		d := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Subprotocols: []string{"line"}}
		ws, _, err := d.Dial(scheme+"://"+a.String()+"/line", nil)
		if err != nil {
			t.Fatal(err)
		}
		return newClient(t, &wsStream{Conn: ws})
	}
	return dial(t, "tcp", a.String())
}

// wsStream is a WebSocket as a stream of bytes.
type wsStream struct {
	*websocket.Conn
	r io.Reader
}

func (w *wsStream) Read(p []byte) (int, error) {
	for {
		if w.r == nil {
			_, r, err := w.NextReader()
			if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway) {
				return 0, io.EOF
			}
			if err != nil {
				return 0, err
			}
			w.r = r
		}
		n, err := w.r.Read(p)
		if err == io.EOF {
			w.r = nil
			if n == 0 {
				continue
			}
			err = nil
		}
		return n, err
	}
}

func (w *wsStream) Write(p []byte) (int, error) {
	return len(p), w.WriteMessage(websocket.BinaryMessage, p)
}

func (w *wsStream) SetDeadline(at time.Time) error {
	w.SetReadDeadline(at)
	return w.SetWriteDeadline(at)
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) line() string {
	c.t.Helper()
	l, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%v after %q", err, l)
	}
	return strings.TrimSuffix(l, "\n")
}

func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := c.line(); got != w {
			c.t.Fatalf("got %q, want %q", got, w)
		}
	}
}

// eof expects the end of the stream.
func (c *client) eof() {
	c.t.Helper()
	if b, err := io.ReadAll(c.r); err != nil || len(b) > 0 {
		c.t.Fatalf("got %q, %v; want the end", b, err)
	}
}

func (c *client) login(name string) *client {
	c.t.Helper()
	c.send("LOGIN " + name + "\n")
	c.expect("OK")
	return c
}

// until polls for something that another process or the kernel does.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never: " + what)
		}
	}
}

// certificate is the TLS of the rig's listeners.
func certificate(t testing.TB) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{authority(t).Issue("server").Pair(t)}, MinVersion: tls.VersionTLS12}
}

func authority(t testing.TB) *tlstest.Authority {
	t.Helper()
	return tlstest.New(t, "authority")
}
