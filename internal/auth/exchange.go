package auth

import (
	"context"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/auth/scram"
)

// The chain offers SCRAM-SHA-256 where a user has a credential for it.
var (
	_ adapters.Exchanger = (*Chain)(nil)
	_ scram.Directory    = directory{}
)

// hasSCRAM tells whether any user has a credential for it.
func (t *Table) hasSCRAM() bool {
	if t == nil {
		return false
	}
	for _, u := range t.users {
		if u.Password != nil {
			if _, ok := u.Password.SCRAM(); ok {
				return true
			}
		}
	}
	return false
}

// Methods names what is offered on the listener of c.
func (c *Chain) Methods(cr adapters.Credentials) []string {
	l := c.options.Listeners[cr.Listener]
	if c.scram == nil || !l.counts("scram") {
		return nil
	}
	return []string{scram.Method}
}

// Begin opens a login.
func (c *Chain) Begin(_ string, cr adapters.Credentials) adapters.Conversation {
	return &guarded{chain: c, conversation: c.scram.Begin(cr), addr: host(cr.Addr), user: cr.User}
}

// guarded counts failed logins, and lets nobody try who has failed too often (U13).
type guarded struct {
	chain        *Chain
	conversation adapters.Conversation
	addr, user   string
}

func (g *guarded) Step(ctx context.Context, data []byte) adapters.Answer {
	if g.chain.failures.blocked(g.addr, g.user) {
		<-ctx.Done()
		return adapters.Answer{Reason: core.NotAuthenticated}
	}
	a := g.conversation.Step(ctx, data)
	if a.Reason == core.NotAuthenticated {
		g.chain.failures.add(g.addr, g.user)
	}
	return a
}

// directory shows the table to SCRAM.
type directory struct{ chain *Chain }

func (d directory) Credential(_ context.Context, user string) (scram.Credential, bool, error) {
	u := d.chain.options.Table.User(user)
	if u == nil || u.Password == nil {
		return scram.Credential{}, false, nil
	}
	c, ok := u.Password.SCRAM()
	return c, ok, nil
}

// Principal is who has proved to be a user. Stronger evidence that names another refuses.
func (d directory) Principal(_ context.Context, user string, shown adapters.Credentials) (*core.Principal, core.Reason) {
	l := d.chain.options.Listeners[shown.Listener]
	if name, _, err := d.chain.proven(&shown, &l); err != nil || name != "" && name != user {
		return nil, d.chain.denied(&shown, "another name is proved by the transport")
	}
	p, reason := d.chain.byProof(&shown, l, user, "scram", nil)
	return p, reason
}
