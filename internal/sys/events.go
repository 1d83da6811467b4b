package sys

import (
	"encoding/json"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// queued bounds the events that wait to be published.
const queued = 4096

// Events is core's observer: it queues what became of clients, and drops and counts what the queue cannot hold.
// Make it with [NewEvents].
type Events struct {
	prefix  string
	queue   chan core.Event
	dropped *atomic.Uint64
}

var _ core.Observer = (*Events)(nil)

// NewEvents makes an observer that a [Publisher] is given. node is the name of this node.
func NewEvents(node string, m *adapters.Metrics) *Events {
	return &Events{
		prefix: "$SYS/brokers/" + level(node) + "/clients/", queue: make(chan core.Event, queued), dropped: m.Counter("sys_events_dropped_total"),
	}
}

// Observe implements core.Observer.
func (e *Events) Observe(x core.Event) {
	select {
	case e.queue <- x:
	default:
		e.dropped.Add(1)
	}
}

var escape = strings.NewReplacer("%", "%25", "/", "%2F", "+", "%2B", "#", "%23")

// level makes one level of a topic of a name that may hold anything.
func level(name string) string { return escape.Replace(name) }

// event is what core knows of EMQX's fields, under their names.
type event struct {
	ClientID  string `json:"clientid"`
	Username  string `json:"username"`
	Protocol  string `json:"protocol"`
	IPAddress string `json:"ipaddress,omitempty"`
	TS        int64  `json:"ts"` // milliseconds since 1970

	ConnectedAt    int64    `json:"connected_at,omitempty"`
	DisconnectedAt int64    `json:"disconnected_at,omitempty"`
	CleanStart     *bool    `json:"clean_start,omitempty"`
	ExpiryInterval *int64   `json:"expiry_interval,omitempty"` // seconds
	Reason         string   `json:"reason,omitempty"`
	Topic          string   `json:"topic,omitempty"`
	SubOpts        *subOpts `json:"subopts,omitempty"`
}

type subOpts struct {
	QoS uint8 `json:"qos"`
	NL  int   `json:"nl"`
	RAP int   `json:"rap"`
	RH  uint8 `json:"rh"`
}

// tell publishes an event, and those that came with it.
func (p *Publisher) tell(e core.Event) {
	p.turn.Begin()
	for n := len(p.options.Events.queue); ; n-- {
		p.tellOne(&e)
		if n == 0 {
			break
		}
		e = <-p.options.Events.queue
	}
	p.turn.End()
}

func (p *Publisher) tellOne(e *core.Event) {
	word, body := describe(e)
	text, err := json.Marshal(body)
	if err != nil {
		return // there is nothing in it that cannot be encoded
	}
	m := core.NewMessage(text)
	m.Topic = p.options.Events.prefix + level(e.Client.ID) + "/" + word
	if topic.CheckName(m.Topic, topic.Limits{}) != nil { // an identifier of 64 KiB
		p.options.Events.dropped.Add(1)
		return
	}
	p.options.Router.PublishSystem(p.turn, e.Client.Principal.Namespace, m)
}

func describe(e *core.Event) (word string, body event) {
	c := e.Client
	body = event{ClientID: c.ID, Username: c.Principal.User, Protocol: c.Protocol, IPAddress: address(c.Addr), TS: int64(e.At)}
	switch e.Kind {
	case core.EventConnected:
		seconds := int64(c.Expiry.Seconds())
		body.ConnectedAt, body.CleanStart, body.ExpiryInterval = body.TS, &c.Clean, &seconds
		return "connected", body
	case core.EventDisconnected:
		body.DisconnectedAt, body.Reason = body.TS, e.Reason.String()
		return "disconnected", body
	case core.EventSubscribed:
		s := &e.Subscription
		body.Topic, body.SubOpts = s.Filter, &subOpts{QoS: s.QoS, NL: bit(s.NoLocal), RAP: bit(s.RetainAsPublished), RH: s.RetainHandling}
		return "subscribed", body
	}
	body.Topic = e.Subscription.Filter
	return "unsubscribed", body
}

// address drops the port.
func address(a string) string {
	if ap, err := netip.ParseAddrPort(a); err == nil {
		return ap.Addr().String()
	}
	return a
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
