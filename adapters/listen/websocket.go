package listen

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
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

// admitted is an accepted connection that the gate has counted. Its Close
// counts it out, unless a stream took that over.
type admitted struct {
	net.Conn
	l    *listener
	once sync.Once
}

func (a *admitted) Close() error {
	a.once.Do(func() { a.l.unadmit(addrPort(a.RemoteAddr()).Addr()) })
	return a.Conn.Close()
}

// gated is the listener that an http.Server accepts from.
type gated struct {
	net.Listener
	l *listener
}

func (g gated) Accept() (net.Conn, error) {
	nc, ok := g.l.acceptPaced(g.l.counts)
	if !ok {
		return nil, net.ErrClosed
	}
	keepAlive(nc)
	g.l.server.wg.Add(1) // until connState
	return &admitted{Conn: nc, l: g.l}, nil
}

// webSocket serves the rooms of one ws:// or wss:// listener.
type webSocket struct {
	l      *listener
	rooms  map[string]adapters.WebSocketRoom // by path
	counts map[string]*counters              // by protocol
}

func (l *listener) serveWebSocket() {
	h := &webSocket{l: l, rooms: webSocketRooms(l.cfg.Rooms), counts: map[string]*counters{}}
	for _, r := range h.rooms {
		h.counts[r.Name()] = newCounters(l.server.metrics, r.Name(), l.name)
	}
	l.http = &http.Server{
		Handler: h, ConnState: l.connState, TLSConfig: l.tls, MaxHeaderBytes: maxHeader, ErrorLog: discardLog,
		ReadTimeout: l.server.limits.PreauthDeadline, WriteTimeout: l.server.limits.PreauthDeadline, // not of what is upgraded
		IdleTimeout:  l.server.limits.PreauthDeadline,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2
	}
	l.server.wg.Go(func() {
		var ln net.Listener = gated{l.tcp, l}
		if l.tls != nil {
			l.http.ServeTLS(ln, "", "") //nolint:errcheck // ends with close
			return
		}
		l.http.Serve(ln) //nolint:errcheck // ends with close
	})
}

// ServeHTTP upgrades a request and starts the connection, on a goroutine of
// its own so that the request's memory is not held.
func (h *webSocket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.l.server.wg.Add(1) // beyond the hijacking
	defer h.l.server.wg.Done()
	room := h.rooms[r.URL.Path]
	if room == nil {
		http.NotFound(w, r)
		return
	}
	o := room.WebSocket()
	sub := choose(o.Subprotos, websocket.Subprotocols(r))
	if sub == "" && o.RequireSub {
		http.Error(w, "no sub-protocol that is spoken here: "+strings.Join(o.Subprotos, ", "), http.StatusBadRequest)
		return
	}
	up := websocket.Upgrader{
		HandshakeTimeout: h.l.server.limits.PreauthDeadline, ReadBufferSize: 1024, WriteBufferSize: 4096,
		WriteBufferPool: &writeBuffers, CheckOrigin: h.l.originAllowed,
	}
	header := http.Header{}
	if sub != "" {
		header.Set("Sec-WebSocket-Protocol", sub)
	}
	ws, err := up.Upgrade(w, r, header)
	if err != nil {
		return // Upgrade has answered
	}
	h.l.server.wg.Go(func() { h.run(ws, room, o, sub) })
}

func (h *webSocket) run(ws *websocket.Conn, room adapters.WebSocketRoom, o adapters.WebSocketOptions, sub string) {
	base, ok := underneath(ws.NetConn()).(*admitted)
	if !ok {
		ws.Close()
		return
	}
	taken := false
	base.once.Do(func() { taken = true }) // the stream counts itself out
	if !taken {
		return // closed meanwhile
	}
	limit := int64(o.MaxMessage)
	if limit == 0 {
		limit = defaultMessage
	}
	ws.SetReadLimit(limit)
	remote := addrPort(base.RemoteAddr())
	info := h.l.info(remote, addrPort(base.LocalAddr()))
	info.WebSocket, info.Subproto = true, sub
	h.l.runPump(newWSCarrier(ws, o), h.counts[room.Name()], info, room)
}

// connState counts the goroutine of a connection out.
func (l *listener) connState(_ net.Conn, s http.ConnState) {
	if s == http.StateClosed || s == http.StateHijacked {
		l.server.wg.Done()
	}
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
func (l *listener) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	if len(l.cfg.Origins) == 0 {
		return strings.EqualFold(u.Host, r.Host)
	}
	return slices.ContainsFunc(l.cfg.Origins, func(o string) bool {
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
	case core.ShuttingDown:
		return websocket.CloseGoingAway
	case core.Internal:
		return websocket.CloseInternalServerErr
	}
	return websocket.CloseNormalClosure
}

// controlTime bounds the writing of a control frame.
const controlTime = 2 * time.Second
