package adapters

import "github.com/entrepot/entrepot/core"

// Stalled is an optional part of a Driven that shares queues with others.
type Stalled interface {
	// Stalled is called in place of Wake while the peer does not read. The room
	// calls core.Session.PassOn, so that others get what it was woken for.
	Stalled(t *core.Turn)
}
