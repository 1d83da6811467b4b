package listen_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
)

// takeovers is a room in which "take over" lets the peer that said hello say its last words, and then takes it over in
// the same turn.
type takeovers struct {
	words func()          // lets the first peer say them
	first adapters.Handle // the loop's
	said  chan string     // by the first peer; the reason at its end
}

func (r *takeovers) Name() string { return "line" }

func (r *takeovers) WebSocket() adapters.WebSocketOptions {
	return adapters.WebSocketOptions{Paths: []string{"/line"}, Subprotos: []string{"line"}}
}

func (r *takeovers) Open(h adapters.Handle, _ adapters.Info, _ *core.Turn) adapters.Conn {
	h.Authenticated()
	return &takeover{room: r, handle: h}
}

type takeover struct {
	room   *takeovers
	handle adapters.Handle
	taker  bool
}

func (c *takeover) Input(_ *core.Turn, in []byte, out *adapters.Output) (int, error) {
	switch string(in) {
	case "hello":
		c.room.first = c.handle
	case "take over":
		c.taker = true
		c.room.words()
		c.room.first.Evict(core.TakenOver)
		return len(in), nil
	case "farewell":
		out.CloseAfterFlush(core.Normal)
	}
	c.room.said <- string(in)
	out.B = append(out.B, "OK\n"...)
	return len(in), nil
}

func (c *takeover) Wake(*core.Turn, *adapters.Output) {}
func (c *takeover) Tick(*core.Turn, *adapters.Output) {}
func (c *takeover) Evict(_ *core.Turn, r core.Reason, out *adapters.Output) {
	out.B = append(out.B, "BYE\n"...)
	out.CloseAfterFlush(r)
}
func (c *takeover) Close(_ *core.Turn, r core.Reason) {
	if !c.taker {
		c.room.said <- r.String()
	}
}

func TestMQTT_MT2_WhatWasSentBeforeATakeoverIsProcessed(t *testing.T) {
	t.Parallel()
	for words, want := range map[string][]string{"farewell": {"farewell", "normal"}, "more": {"more", "taken over"}, "": {"taken over"}} {
		t.Run("last words "+words, func(t *testing.T) {
			t.Parallel()
			for i, u := range transports(t) {
				scheme, _, _ := strings.Cut(u, "://")
				t.Run(scheme, func(t *testing.T) {
					t.Parallel()
					var peer atomic.Pointer[client]
					room := &takeovers{said: make(chan string, 8), words: func() {
						if words != "" {
							peer.Load().send(words)
						}
					}}
					r := serve(t, rigOptions{loops: 1, urls: transports(t), change: func(o *listen.Options) {
						o.Rooms = map[string]adapters.Room{"line": room, "lines": room}
					}})
					first, second := r.client(t, i), r.client(t, i)
					first.send("hello")
					first.expect("OK")
					peer.Store(first)
					second.send("take over")
					for _, w := range append([]string{"hello"}, want...) {
						if got := room.next(t); got != w {
							t.Fatalf("%q, want %q", got, w)
						}
					}
				})
			}
		})
	}
}

func (r *takeovers) next(t *testing.T) string {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case s := <-r.said:
		return s
	case <-late.C:
		t.Fatal("nothing more is said")
		return ""
	}
}
