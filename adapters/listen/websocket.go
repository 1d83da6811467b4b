package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// maxHeader makes net/http, which adds 4 KiB, refuse request headers above
// 8 KiB.
const maxHeader = 4 << 10

// defaultMessage is the largest WebSocket message of a room that names none.
const defaultMessage = 1 << 20

// upgrading is a connection that speaks HTTP, and WebSocket frames later. Its
// allowance counts them all until the login, the empty ones too (A4c).
type upgrading struct {
	net.Conn // the arrival, or TLS on it
	*allowance
	a       *arrival
	answer  atomic.Bool // a request was answered, whatever with
	seen    atomic.Bool // something was read
	expired atomic.Bool // reading ended at the deadline
	tooMuch atomic.Bool // or with the allowance
	frames  closeWatch  // Owned by the reader of the WebSocket
}

// NetConn implements what underneath follows.
func (u *upgrading) NetConn() net.Conn { return u.Conn }

func (u *upgrading) Read(b []byte) (int, error) {
	b, err := u.take(b)
	if err != nil {
		u.tooMuch.Store(true)
		return 0, err
	}
	if u.frames.fault != 0 {
		return 0, u.frames.fault
	}
	n, err := u.Conn.Read(b)
	u.left.Add(-int64(n))
	if u.frames.on {
		if n = u.frames.look(b[:n]); n == 0 && u.frames.fault != 0 {
			return 0, u.frames.fault
		}
	}
	if n > 0 {
		u.seen.Store(true)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(u.a.limit) {
		u.expired.Store(true)
	}
	return n, err
}

// unserved counts and logs the end of a connection that never got as far as a
// request. Who connects and says nothing before it leaves is nobody's affair.
func (u *upgrading) unserved() {
	why := "malformed"
	switch {
	case u.answer.Load() || u.a.l.server.ctx.Err() != nil:
		return
	case u.expired.Load():
		why = "deadline"
	case u.tooMuch.Load():
		why = "bytes"
	case !u.seen.Load():
		return
	}
	u.a.l.preauthClosed(u.a.remote, why, nil)
}

// handover is the listener that an http.Server accepts from.
type handover struct {
	l    *listener
	next chan *upgrading
	done chan struct{} // closed by Close
	once *sync.Once
}

func (h handover) Accept() (net.Conn, error) {
	select {
	case u := <-h.next:
		return u, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h handover) Addr() net.Addr { return h.l.addr }

// serve does the TLS of a connection, and gives it to the http.Server.
func (h handover) serve(a *arrival) {
	u := &upgrading{Conn: a, a: a, allowance: &allowance{}}
	if h.l.secure {
		tc, err := a.handshake()
		if err != nil {
			a.failed("tls", err)
			return
		}
		u.Conn = tc
	}
	a.off.Store(true)
	u.left.Store(int64(h.l.limits().PreauthBytes))
	h.l.server.wg.Add(1) // until connState
	select {
	case h.next <- u:
	case <-h.done:
		h.l.server.wg.Done()
		a.Close()
	}
}

// webSocket serves the rooms of one ws:// or wss:// listener.
type webSocket struct {
	l      *listener
	counts map[string]*counters // by protocol
}

func (l *listener) serveWebSocket() {
	h := &webSocket{l: l, counts: map[string]*counters{}}
	for _, r := range l.terms.Load().paths {
		h.counts[r.Name()] = newCounters(l, r.Name())
	}
	l.http = &http.Server{
		Handler: h, ConnState: l.connState, MaxHeaderBytes: maxHeader, ErrorLog: discardLog,
		// No time-outs: the arrival bounds the whole, by the limits of when it came.
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, upgradingKey{}, c)
		},
	}
	ln := handover{l: l, next: make(chan *upgrading), done: make(chan struct{}), once: new(sync.Once)}
	l.server.wg.Go(func() { l.http.Serve(ln) }) //nolint:errcheck // ends with close
	tcp := l.tcp
	l.server.wg.Go(func() { l.accept(tcp, ln.serve) })
}

type upgradingKey struct{}

// ServeHTTP upgrades a request and starts the connection, on a goroutine of
// its own so that the request's memory is not held.
func (h *webSocket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.l.server.wg.Add(1) // beyond the hijacking
	defer h.l.server.wg.Done()
	u, _ := r.Context().Value(upgradingKey{}).(*upgrading)
	if u == nil {
		return // not from our listener, which cannot be
	}
	u.answer.Store(true)
	now := u.a.terms
	for name, values := range now.Headers {
		w.Header()[name] = values
	}
	room := now.paths[r.URL.Path]
	if room == nil {
		http.NotFound(w, r)
		h.refused(u, h.l.counts, "path")
		return
	}
	o, counts := room.WebSocket(), h.counts[room.Name()]
	sub := choose(o.Subprotos, websocket.Subprotocols(r))
	if sub == "" && o.RequireSub {
		http.Error(w, "no sub-protocol that is spoken here: "+strings.Join(o.Subprotos, ", "), http.StatusBadRequest)
		h.refused(u, counts, "subprotocol")
		return
	}
	why := "upgrade" // method, version, key, or another header that is missing
	up := websocket.Upgrader{
		HandshakeTimeout: h.l.limits().PreauthDeadline, ReadBufferSize: 1024, WriteBufferSize: 4096,
		WriteBufferPool: &writeBuffers, CheckOrigin: func(r *http.Request) bool {
			if now.originAllowed(r) {
				return true
			}
			why = "origin"
			return false
		},
	}
	header := now.Headers.Clone()
	if header == nil {
		header = http.Header{}
	}
	if sub != "" {
		header.Set("Sec-WebSocket-Protocol", sub)
	}
	ws, err := up.Upgrade(w, r, header)
	if err != nil { // Upgrade has answered
		h.refused(u, counts, why)
		return
	}
	h.l.server.wg.Go(func() { h.run(ws, u, room, o, sub) })
}

// refused counts and logs a request that was not upgraded (A4e).
func (h *webSocket) refused(u *upgrading, c *counters, why string) {
	c.upgradeRefused(why)
	h.l.server.events.preauthClosed(c, addrText(u.a.remote), "protocol", upgradeError(why))
}

type upgradeError string

func (e upgradeError) Error() string { return "refused upgrade: " + string(e) }

func (h *webSocket) run(ws *websocket.Conn, u *upgrading, room adapters.WebSocketRoom, o adapters.WebSocketOptions, sub string) {
	if !u.a.handOver() {
		ws.Close()
		return
	}
	limit := int64(o.MaxMessage)
	if limit == 0 {
		limit = defaultMessage
	}
	ws.SetReadLimit(limit)
	info := u.a.info()
	info.WebSocket, info.Subproto = true, sub
	if tc, ok := u.Conn.(*tls.Conn); ok {
		info.Certificate = certificate(tc, info.Certificate)
	}
	u.left.Store(int64(h.l.limits().PreauthBytes))
	u.frames.on = true // Upgrade refuses who sent a frame before
	h.l.runPump(newWSCarrier(ws, o, u), u.a, h.counts[room.Name()], info, room)
}

// connState counts the goroutine of a connection out.
func (l *listener) connState(c net.Conn, s http.ConnState) {
	if s != http.StateClosed && s != http.StateHijacked {
		return
	}
	if u, ok := c.(*upgrading); ok && s == http.StateClosed {
		u.unserved()
	}
	l.server.wg.Done()
}

// underneath is the accepted connection below TLS.
func underneath(c net.Conn) net.Conn {
	for {
		n, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = n.NetConn()
	}
}

// choose takes the sub-protocol that we prefer among those offered.
func choose(ours, offered []string) string {
	for _, p := range ours {
		if slices.Contains(offered, p) {
			return p
		}
	}
	return ""
}

// originAllowed checks the Origin header, which browsers send and others need
// not: one of the listener's, or without a list the same host.
func (t *terms) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	if len(t.Origins) == 0 {
		return strings.EqualFold(u.Host, r.Host)
	}
	return slices.ContainsFunc(t.Origins, func(o string) bool {
		return o == "*" || strings.EqualFold(strings.TrimSuffix(o, "/"), u.Scheme+"://"+u.Host)
	})
}

// closeCode is the WebSocket close code of a reason (RFC 6455, section 7.4).
func closeCode(r core.Reason) int {
	switch r {
	case core.Malformed, core.ProtocolError:
		return websocket.CloseProtocolError
	case core.NotAuthenticated, core.NotAuthorized, core.BadClientID, core.LoginExpired:
		return websocket.ClosePolicyViolation
	case core.TooLarge:
		return websocket.CloseMessageTooBig
	case core.ShuttingDown, core.Moved:
		return websocket.CloseGoingAway
	case core.Internal:
		return websocket.CloseInternalServerErr
	}
	return websocket.CloseNormalClosure
}

// controlTime bounds the writing of a control frame.
const controlTime = 2 * time.Second
