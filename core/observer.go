package core

// EventKind is what became of a client.
type EventKind uint8

// The kinds of events.
const (
	EventConnected    EventKind = iota // an attachment is served
	EventDisconnected                  // it has ended, for Event.Reason
	EventSubscribed                    // Event.Subscription was made or replaced
	EventUnsubscribed                  // Event.Subscription, of which only the filter is set, has ended
)

// Event is what became of a client that has an identifier.
type Event struct {
	Kind         EventKind
	Client       *Client // not to be changed; may be kept
	At           Time
	Reason       Reason
	Subscription Subscription
}

// Observer is told of every event after it has happened, outside of core's
// locks, on the goroutine that drove the client. It must not block.
type Observer interface {
	Observe(e Event)
}

// observe tells the observer. Transient sessions have no name to be told by.
func (s *Session) observe(t *Turn, kind EventKind, reason Reason, sub Subscription) {
	if o := s.r.observer; o != nil && s.client.ID != "" {
		o.Observe(Event{Kind: kind, Client: &s.client, At: t.Now, Reason: reason, Subscription: sub})
	}
}
