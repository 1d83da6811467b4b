package adapters

import "github.com/entrepot/entrepot/core"

// Takeovers slows down how often one session is taken over, whatever the
// protocols of those who do (limit.Takeovers).
type Takeovers interface {
	// Ask tells when a connection may attach, 0 being now, and who has waited
	// in vain. held is whether another one holds the session.
	Ask(now core.Time, c *core.Client, s core.Sink, held bool) (at core.Time, displaced core.Sink)
	// Begin is the turn of a connection that waited.
	Begin(now core.Time, c *core.Client, s core.Sink)
	// GiveUp is the end of a connection that waits.
	GiveUp(c *core.Client, s core.Sink)
	// Allow tells whether a connection may attach now, for one that does not
	// wait but is refused.
	Allow(now core.Time, c *core.Client, held bool) bool
}
