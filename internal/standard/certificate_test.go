package standard_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/internal/standard"
	"github.com/entrepot/entrepot/internal/tlsconf"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// shown records the credentials of logins.
type shown chan adapters.Credentials

func (s shown) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	s <- c
	return core.Anonymous, core.OK
}

// serve starts every protocol that runs on TLS, and returns the URLs.
func serve(t *testing.T, host *adapters.Host, secure tlsconf.Server) (urls []string) {
	t.Helper()
	rooms := map[string]adapters.Room{}
	for _, r := range standard.Protocols() {
		room, err := r.New(host, r.Config())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Schemes {
			rooms[s] = room
		}
	}
	o := listen.Options{Host: host, Rooms: rooms}
	for _, scheme := range []string{"mqtts", "stomps", "amqps", "wss"} {
		live, err := tlsconf.Open(secure, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		o.Listeners = append(o.Listeners, listen.Listener{URL: scheme + "://127.0.0.1:0", TLS: live.Config()})
	}
	s, err := listen.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for _, a := range s.Addrs() {
		urls = append(urls, a.URL)
	}
	return append(urls, urls[len(urls)-1]+"/stomp")
}

func TestTLS_U15_EveryRoomPassesTheCertificateOn(t *testing.T) {
	t.Parallel()
	router, err := core.New(core.Options{Store: adaptertest.NewStore()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(router.Close)
	auth := make(shown, 1)
	host := &adapters.Host{Router: router, Log: slog.New(slog.DiscardHandler), Auth: auth, Metrics: adapters.NewMetrics()}
	ca := tlstest.New(t, "authority")
	server, dev := ca.Issue("server"), ca.Issue("meter 7", tlstest.URI("urn:dev:7"))
	for _, url := range serve(t, host, tlsconf.Server{Cert: server.Cert, Key: server.Key, ClientCA: ca.File}) {
		a, err := config.ParseAddress(url)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c, err := dial.Dial(ctx, dial.Options{Address: a, TLS: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{dev.Pair(t)}}})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := <-auth
		if got.Certificate == nil || got.Certificate.CommonName != "meter 7" || len(got.Certificate.URIs) != 1 || !got.TLS || !got.Loopback {
			t.Errorf("%s: %+v", url, got)
		}
		if err := c.Close(ctx); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}
