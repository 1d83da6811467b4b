package access

import (
	"context"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/config"
)

// Reach asks the backends of logins that are elsewhere: the key set is fetched, and the service of auth.http is connected
// to, without a login. They may be away at the moment, so that what is wrong are warnings.
func (s *Settings) Reach(ctx context.Context) config.Problems {
	r := &Settings{}
	if where := s.auth.JWT.JWKS; where != "" && !strings.HasPrefix(where, "file:") {
		if err := auth.URLKeySet(where, nil).Fetch(ctx); err != nil {
			r.warn("auth.jwt.jwks", "auth.jwt.jwks: %s", err)
		}
	}
	if u, err := url.Parse(s.auth.HTTP.URL); err == nil && u.Host != "" {
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
		}
		d := net.Dialer{Timeout: max(s.auth.HTTP.Timeout, time.Second)}
		c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
		if err != nil {
			r.warn("auth.http.url", "auth.http.url: %s", err)
		} else {
			_ = c.Close()
		}
	}
	return r.problems
}
