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
	if c.scramKey == nil || !l.counts("scram") {
		return nil
	}
	return []string{scram.Method}
}

// Begin opens a login.
func (c *Chain) Begin(_ string, cr adapters.Credentials) adapters.Conversation {
	g := &guarded{chain: c, shown: cr}
	g.conversation = scram.New(scram.Options{Directory: directory{g}, Key: c.scramKey}).Begin(cr)
	return g
}

// guarded counts failed logins and tells the log of them, and lets nobody try who has failed too often (U13).
type guarded struct {
	chain        *Chain
	conversation adapters.Conversation
	shown        adapters.Credentials // with the name that the exchange is about, when that is known
	told         bool                 // why it was refused
}

func (g *guarded) Step(ctx context.Context, data []byte) adapters.Answer {
	addr := host(g.shown.Addr)
	if g.chain.failures.blocked(addr, g.shown.User) {
		<-ctx.Done()
		return adapters.Answer{Reason: g.chain.denied(&g.shown, "too many failed logins")}
	}
	a := g.conversation.Step(ctx, data)
	if a.Reason == core.NotAuthenticated {
		g.chain.failures.add(addr, g.shown.User)
		if !g.told {
			g.chain.denied(&g.shown, "scram")
		}
	}
	return a
}

// directory shows the table to SCRAM.
type directory struct{ *guarded }

func (d directory) Credential(_ context.Context, user string) (scram.Credential, bool, error) {
	if !d.shown.HasUser {
		d.shown.User = user
	}
	u := d.chain.options.Table.User(user)
	if u == nil || u.Password == nil {
		return scram.Credential{}, false, nil
	}
	c, ok := u.Password.SCRAM()
	return c, ok, nil
}

// Principal is who has proved to be a user. Evidence of another kind that names another refuses (U1).
func (d directory) Principal(_ context.Context, user string, shown adapters.Credentials) (*core.Principal, core.Reason) {
	c := d.chain
	d.told = true
	l := c.options.Listeners[shown.Listener]
	if shown.HasUser && shown.User != user {
		return nil, c.denied(&shown, "name: "+errContradiction.Error())
	}
	shown.User = user
	if name, _, err := c.proven(&shown, &l); err != nil || name != "" && name != user {
		return nil, c.denied(&shown, "another name is proved by the transport")
	}
	return c.byProof(&shown, l, user, "scram", nil)
}
