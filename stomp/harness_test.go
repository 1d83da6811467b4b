package stomp

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
	"github.com/entrepot/entrepot/stomp/frame"
)

// world is a router with a room, driven in virtual time without sockets.
type world struct {
	t      *testing.T
	cfg    Config
	router *core.Router
	room   *Room
	store  *gate
	peers  []*peer
	rules  core.Authorizer
}

// gate is a store whose synced writes can be held back, or made to fail.
type gate struct {
	core.Store
	mu   sync.Mutex
	fail error
}

func (g *gate) Write(b []*core.Batch, sync bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail != nil {
		return g.fail
	}
	return g.Store.Write(b, sync)
}

// logins authenticates "user" with the passcode "secret" and nobody else.
type logins struct{}

func (logins) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	switch {
	case !c.HasUser:
		return core.Anonymous, core.OK
	case (c.User == "user" || c.User == "other") && string(c.Password) == "secret":
		return &core.Principal{Namespace: core.DefaultNamespace, User: c.User, Method: "password"}, core.OK
	}
	return nil, core.NotAuthenticated
}

// deny refuses every action on topics that begin with "secret".
type deny struct{}

func (deny) Authorize(_ *core.Principal, _ core.Action, topic string) bool {
	return !strings.HasPrefix(topic, "secret")
}

// in runs fn in a bubble of virtual time with a fresh world.
func in(t *testing.T, cfg Config, fn func(w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, cfg: cfg, store: &gate{Store: memory.New()}, rules: deny{}}
		w.start()
		defer w.stop()
		fn(w)
	})
}

func (w *world) start() {
	w.t.Helper()
	r, err := core.New(core.Options{Store: w.store, Authorizer: w.rules})
	if err != nil {
		w.t.Fatal(err)
	}
	w.router = r
	w.room = New(&adapters.Host{Router: r, Auth: logins{}, Version: "test", Metrics: adapters.NewMetrics()}, w.cfg)
}

func (w *world) stop() {
	for _, p := range w.peers {
		p.gone()
	}
	w.peers = nil
	w.router.Close()
}

// restart ends the server and starts another one on what the store holds.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// peer is the client's end of one connection.
type peer struct {
	w       *world
	conn    adapters.Conn
	turn    *core.Turn
	out     adapters.Output
	parse   frame.Parser
	woken   atomic.Bool
	evict   atomic.Uint32
	tickAt  core.Time
	kept    []byte // not consumed yet
	paused  bool
	known   bool // the room has called Authenticated
	greeted bool // and Connected
	closed  bool
	reason  core.Reason
	raw     []byte
	got     []received
	id      string // session id
}

// received is one frame from the server.
type received struct {
	cmd    string
	header map[string]string
	order  string // of header names
	body   string
}

func (r received) String() string { return fmt.Sprintf("%s %v %q", r.cmd, r.header, r.body) }

func (p *peer) Ready(*core.Turn)    { p.woken.Store(true) }
func (p *peer) Evict(r core.Reason) { p.evict.Store(uint32(r)) }
func (p *peer) TickAt(at core.Time) { p.tickAt = at }
func (p *peer) LoggingIn()          { p.tickAt = 0 }
func (p *peer) Authenticated()      { p.known = true }
func (p *peer) Connected()          { p.greeted = true }
func (p *peer) Ended(core.Reason)   {}

// dial opens a connection without a word.
func (w *world) dial() *peer {
	p := &peer{w: w, turn: w.router.NewTurn(nil)}
	p.parse.Limits.Body = 64 << 20
	p.turn.Begin()
	p.conn = w.room.Open(p, adapters.Info{Listener: "stomp://test", Scheme: "stomp", Loopback: true}, p.turn)
	p.turn.End()
	w.peers = append(w.peers, p)
	return p
}

// connect opens a connection in a version, with extra header lines.
func (w *world) connect(version string, headers ...string) *peer {
	w.t.Helper()
	p := w.dial()
	p.say("CONNECT", append([]string{"accept-version:" + version, "host:/"}, headers...)...)
	f := p.one("CONNECTED")
	if f.header["version"] != version {
		w.t.Fatalf("version %q", f.header["version"])
	}
	p.id = f.header["session"]
	return p
}

// call runs one call of the state machine and takes what it wrote.
func (p *peer) call(fn func()) {
	p.turn.Begin()
	fn()
	p.turn.End()
	p.take()
}

func (p *peer) take() {
	p.raw = append(p.raw, p.out.B...)
	var f frame.Frame
	in := p.out.B
	for len(in) > 0 {
		n, ok, err := p.parse.Next(in, &f)
		if err != nil {
			p.w.t.Fatalf("the server wrote %q: %v", p.out.B, err)
		}
		if in = in[n:]; ok {
			p.got = append(p.got, freeze(&f))
			if f.Command == frame.Connected {
				v, _ := f.Get("version")
				p.parse.Version, _ = frame.ParseVersion(string(v))
			}
		}
	}
	if paused, resumed := p.out.Reading(); paused || resumed {
		p.paused = paused
	}
	if p.out.More {
		p.woken.Store(true)
	}
	r, closing := p.out.Closing()
	p.out.Reset()
	if closing && !p.closed {
		p.closed, p.reason = true, r
		p.turn.Begin()
		p.conn.Close(p.turn, r)
		p.turn.End()
	}
}

func freeze(f *frame.Frame) received {
	r := received{cmd: f.Command.String(), header: map[string]string{}, body: string(f.Body)}
	var names []string
	for _, h := range f.Headers {
		r.header[string(h.Name)] = string(h.Value)
		names = append(names, string(h.Name))
	}
	r.order = strings.Join(names, " ")
	return r
}

// write gives octets to the state machine.
func (p *peer) write(s string) {
	p.kept = append(p.kept, s...)
	p.feed()
}

func (p *peer) feed() {
	for len(p.kept) > 0 && !p.paused && !p.closed {
		before := len(p.kept)
		p.call(func() {
			n, err := p.conn.Input(p.turn, p.kept, &p.out)
			if err != nil {
				p.w.t.Fatalf("Input: %v", err)
			}
			p.kept = p.kept[n:]
		})
		if len(p.kept) == before {
			return
		}
	}
}

// say writes one frame: header lines, and after "" the body.
func (p *peer) say(cmd string, lines ...string) {
	p.w.t.Helper()
	body := ""
	for i, l := range lines {
		if l == "" {
			body, lines = strings.Join(lines[i+1:], "\n"), lines[:i]
			break
		}
	}
	p.write(cmd + "\n" + strings.Join(append(lines, ""), "\n") + "\n" + body + "\x00")
}

// settle lets everything happen that can happen without time passing.
func (w *world) settle() {
	for {
		synctest.Wait()
		busy := false
		for _, p := range w.peers {
			if p.closed {
				continue
			}
			if r := core.Reason(p.evict.Swap(0)); r != core.OK {
				busy = true
				p.call(func() { p.conn.Evict(p.turn, r, &p.out) })
			}
			if !p.closed && p.woken.Swap(false) {
				busy = true
				p.call(func() { p.conn.Wake(p.turn, &p.out) })
				p.feed()
			}
		}
		if !busy {
			return
		}
	}
}

// pass lets virtual time go by, in steps that serve every tick in time.
func (w *world) pass(d time.Duration) {
	end := w.router.Clock().Now().After(d)
	for {
		w.settle()
		now, next := w.router.Clock().Now(), end
		for _, p := range w.peers {
			if !p.closed && p.tickAt != 0 && p.tickAt < next {
				next = p.tickAt
			}
		}
		if next > now {
			<-time.After(next.Until(now))
		}
		for _, p := range w.peers {
			if at := p.tickAt; !p.closed && at != 0 && at <= next {
				p.tickAt = 0
				p.call(func() { p.conn.Tick(p.turn, &p.out) })
			}
		}
		if next == end {
			w.settle()
			return
		}
	}
}

// frames returns what has arrived since the last call.
func (p *peer) frames() []received {
	p.w.settle()
	got := p.got
	p.got = nil
	return got
}

// one expects exactly one frame, with that command.
func (p *peer) one(cmd string) received {
	p.w.t.Helper()
	got := p.frames()
	if len(got) != 1 || got[0].cmd != cmd {
		p.w.t.Fatalf("want one %s, got %v", cmd, got)
	}
	return got[0]
}

// none expects silence.
func (p *peer) none() {
	p.w.t.Helper()
	if got := p.frames(); len(got) != 0 {
		p.w.t.Fatalf("want nothing, got %v", got)
	}
}

// bodies expects MESSAGEs with these bodies and returns them.
func (p *peer) bodies(want ...string) []received {
	p.w.t.Helper()
	got := p.frames()
	var have []string
	for _, f := range got {
		if f.cmd != "MESSAGE" {
			p.w.t.Fatalf("unexpected %v", f)
		}
		have = append(have, f.body)
	}
	if strings.Join(have, "|") != strings.Join(want, "|") {
		p.w.t.Fatalf("bodies %q, want %q", have, want)
	}
	return got
}

// errorFrame expects ERROR with that message header, and the end.
func (p *peer) errorFrame(message string) received {
	p.w.t.Helper()
	f := p.one("ERROR")
	if f.header["message"] != message {
		p.w.t.Fatalf("ERROR %q %q, want %q", f.header["message"], f.body, message)
	}
	if !p.closed {
		p.w.t.Fatal("the connection stays open after ERROR")
	}
	return f
}

// receipts expects RECEIPTs with these ids.
func (p *peer) receipts(ids ...string) {
	p.w.t.Helper()
	var have []string
	for _, f := range p.frames() {
		if f.cmd != "RECEIPT" {
			p.w.t.Fatalf("unexpected %v", f)
		}
		have = append(have, f.header["receipt-id"])
	}
	if strings.Join(have, " ") != strings.Join(ids, " ") {
		p.w.t.Fatalf("receipts %q, want %q", have, ids)
	}
}

// gone cuts the connection without a word.
func (p *peer) gone() {
	if !p.closed {
		p.closed = true
		p.turn.Begin()
		p.conn.Close(p.turn, core.ConnectionLost)
		p.turn.End()
	}
}
