package gateway

import (
	"crypto/tls"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/metrics"
	"github.com/entrepot/entrepot/internal/pskfile"
	"github.com/entrepot/entrepot/internal/tlsconf"
)

// securedListener is the TLS of one listener.
type securedListener struct {
	at   int // of the server's addresses, whose ports are known later
	live *tlsconf.Live
}

// openTLS reads the files of a listener's TLS; nil if it has none. Rooms of its own come before the shared ones.
func (g *Gateway) openTLS(l config.Listener, at int, own, shared map[string]adapters.Room) (*tls.Config, error) {
	if l.TLS == nil {
		return nil, nil
	}
	room := shared[l.Address.Scheme.Name]
	if r, ok := own[l.Address.Scheme.Name]; ok {
		room = r
	}
	var names []string
	if l.Address.Scheme.WebSocket {
		names = []string{"http/1.1"}
	} else if r, ok := room.(adapters.ALPN); ok {
		names = []string{r.ALPN()}
	}
	live, err := tlsconf.Open(l.TLS.Server(), names, func(err error) {
		if err != nil {
			g.log.Warn("config.rejected", "listener", l.URL, "reason", err.Error())
			return
		}
		g.log.Info("cert.reloaded", "listener", l.URL)
	})
	if err != nil {
		return nil, err
	}
	g.secured = append(g.secured, securedListener{at, live})
	return live.Config(), nil
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
	for _, s := range g.secured {
		emit("entrepot_tls_cert_expiry_timestamp_seconds", float64(s.live.Expiry().Unix()), addrs[s.at].URL)
	}
}
