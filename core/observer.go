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
	Client       *Client // not to be changed; may be kept. ID, Principal, Protocol and Addr alone but for EventConnected
	At           Time
	Reason       Reason
	Subscription Subscription
}

// Observer is told of every event after it has happened, outside of core's
// locks, on the goroutine that drove the client. It must not block.
type Observer interface {
	Observe(e Event)
}

// Attentive is an Observer that is not always listened to: while Attends says no,
// no events are made.
type Attentive interface{ Attends() bool }

// observe tells the observer. Transient sessions have no name to be told by.
func (s *Session) observe(t *Turn, kind EventKind, reason Reason, sub Subscription) {
	o := s.r.observer
	if o == nil || s.id == "" {
		return
	}
	if a, ok := o.(Attentive); ok && !a.Attends() {
		return
	}
	c := s.client
	if kind != EventConnected { // another goroutine may be letting go of it
		c = &Client{ID: s.ClientID(), Principal: s.principal, Protocol: s.protocol, Addr: s.addr}
	}
	o.Observe(Event{Kind: kind, Client: c, At: t.Now, Reason: reason, Subscription: sub})
}
