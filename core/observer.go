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
	if o := s.observer(); o != nil {
		c := &Client{ID: s.ClientID(), Principal: s.principal, Protocol: s.Protocol(), Addr: s.Addr()}
		o.Observe(Event{Kind: kind, Client: c, At: t.Now, Reason: reason, Subscription: sub})
	}
}

// connected tells the observer of an attachment that is served, with all that
// the client brought.
func (s *Session) connected(t *Turn, c *Client) {
	if o := s.observer(); o != nil {
		kept := c.clone() // c itself stays where it is
		kept.Addr = s.Addr()
		o.Observe(Event{Kind: EventConnected, Client: kept, At: t.Now})
	}
}

func (c *Client) clone() *Client {
	x := new(Client)
	*x = *c
	return x
}

// observer is who is to be told of the session, nil when nobody is. The
// attachment was served.
func (s *Session) observer() Observer {
	o := s.ns.r.observer
	if o == nil || s.st.transient {
		return nil
	}
	if a, ok := o.(Attentive); ok && !a.Attends() {
		return nil
	}
	return o
}
