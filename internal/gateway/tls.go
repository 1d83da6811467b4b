package gateway

import (
	"crypto/tls"
	"slices"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/metrics"
	"github.com/entrepot/entrepot/internal/pskfile"
	"github.com/entrepot/entrepot/internal/tlsconf"
)

// secured is the TLS of all listeners.
type secured struct {
	old  *secured // of before a reload
	list []securedListener
}

// securedListener is the TLS of one listener.
type securedListener struct {
	at    int // of the server's addresses, whose ports are known later
	url   string
	files tlsconf.Server
	alpn  []string
	live  *tlsconf.Live
}

// open reads the files of a listener's TLS; nil if it has none. What has not changed keeps its session tickets.
func (s *secured) open(g *Gateway, l config.Listener, at int, alpn []string) (*tls.Config, error) {
	if l.TLS == nil {
		return nil, nil
	}
	next := securedListener{at: at, url: l.URL, files: l.TLS.Server(), alpn: alpn}
	if s.old != nil {
		for _, o := range s.old.list {
			if o.url == l.URL && o.files == next.files && slices.Equal(o.alpn, alpn) {
				next.live = o.live
			}
		}
	}
	if next.live == nil {
		live, err := tlsconf.Open(next.files, alpn, func(err error) {
			if err != nil {
				g.log.Warn("config.rejected", "listener", l.URL, "reason", err.Error())
				return
			}
			g.log.Info("cert.reloaded", "listener", l.URL)
		})
		if err != nil {
			return nil, err
		}
		next.live = live
	}
	s.list = append(s.list, next)
	return next.live.Config(), nil
}

// refresh takes files that have changed at once.
func (s *secured) refresh() {
	for _, l := range s.list {
		l.live.Refresh()
	}
}

// openKeys reads the keys of a listener's clients; nil if it has none.
func (g *Gateway) openKeys(l config.Listener) (func(identity string) ([]byte, bool), error) {
	if l.PSK == "" {
		return nil, nil
	}
	live, err := pskfile.Open(string(l.PSK), func(err error) {
		if err != nil {
			g.log.Warn("config.rejected", "listener", l.URL, "reason", err.Error())
			return
		}
		g.log.Info("psk.reloaded", "listener", l.URL)
	})
	if err != nil {
		return nil, err
	}
	return live.Key, nil
}

// certificates is the metrics source of when certificates end.
func (g *Gateway) certificates(emit metrics.Emit) {
	addrs := g.server.Addrs()
	for _, s := range g.secured.Load().list {
		if s.at < len(addrs) { // a reload may be under way
			emit("entrepot_tls_cert_expiry_timestamp_seconds", float64(s.live.Expiry().Unix()), addrs[s.at].URL)
		}
	}
}
