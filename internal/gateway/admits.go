package gateway

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/acl"
	"github.com/entrepot/entrepot/internal/admin"
)

var adminLevels = map[admin.Level]acl.Level{admin.Viewer: acl.Viewer, admin.Operator: acl.Operator, admin.Administrator: acl.Admin}

// admits tells whether who asks an admin listener has a level: a user by HTTP Basic, or by a bearer token. While nobody can
// log in, everybody has. Cookies and the query are no credential. OPERATIONS H1
func (g *Gateway) admits(listener string) func(*http.Request, admin.Level) admin.Verdict {
	return func(r *http.Request, l admin.Level) admin.Verdict {
		if g.access.Open() {
			return admin.Granted
		}
		c := adapters.Credentials{Protocol: "http", Listener: listener, Addr: r.RemoteAddr, TLS: r.TLS != nil, Chooses: true}
		if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			c.Loopback = a.Addr().Unmap().IsLoopback()
		}
		user, pass, basic := r.BasicAuth()
		if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
			user, pass, basic = "jwt", token, true
		}
		limits := g.now().limits().adapters().WithDefaults()
		if !basic || len(user) > limits.UsernameBytes || len(pass) > limits.PasswordBytes {
			return admin.Nameless
		}
		c.User, c.Password, c.HasUser = user, []byte(pass), true
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		p, reason := g.access.Authenticate(ctx, c)
		switch {
		case reason == core.Busy:
			return admin.Busy
		case reason != core.OK:
			return admin.Nameless
		case g.access.Level(p) < adminLevels[l]:
			g.log.Info("acl.denied", "action", "admin", "user", p.User, "addr", r.RemoteAddr)
			return admin.Refused
		}
		return admin.Granted
	}
}
