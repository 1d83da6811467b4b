package amqp091

import (
	"slices"
	"strings"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// publication is one complete publish.
type publication struct {
	place      *place
	mandatory  bool
	properties []byte
	props      wire.Properties
	body       []byte
	owned      bool     // body may be kept
	more       []string // routing keys beside the place's
}

// place is where a channel published last: names as strings, and the topic
// that they mean.
type place struct {
	exchange, key string
	wire          []byte // both as shortstr
	name          string // the topic that the message carries
	topic         []byte // the same, of amq.topic
	canonical     bool   // the place can be made again from the topic
	known         bool
	legal         bool // amq.topic: the key has a topic
}

// at finds the place of a publish; a run of one place costs a comparison.
func (ch *channel) at(name, key []byte) *place {
	p := &ch.place
	if p.known && p.exchange == string(name) && p.key == string(key) {
		return p
	}
	*p = place{exchange: string(name), key: string(key), known: true}
	p.wire = exchange.Place(nil, p.exchange, p.key)
	if p.exchange == exchange.Default {
		p.name, p.canonical = queueTopic+p.key, true
		return p
	}
	codec := ch.c.l.codec
	t, err := codec.DecodeName(p.key)
	p.name, p.legal = t, err == nil
	if !p.legal { // an exchange of our own may have a key that is no topic
		p.name = queueTopic + p.exchange
	}
	if p.exchange == exchange.AmqTopic {
		p.topic = []byte(t)
		p.canonical = p.legal && !strings.HasPrefix(t, "$") && codec.EncodeName(t) == p.key
	}
	return p
}

// complete handles a publish whose last octet is here.
func (ch *channel) complete(body []byte, owned bool) error {
	x := &ch.content
	x.stage = idle
	ch.c.block()
	p := publication{place: ch.at(x.exchange, x.key), mandatory: x.mandatory, properties: x.properties, body: body, owned: owned}
	if err := p.props.Parse(x.properties); err != nil {
		return named(early(err), wire.IDBasicPublish)
	}
	if err := ch.acceptable(&p); err != nil {
		return named(err, wire.IDBasicPublish)
	}
	if err := p.carbon(); err != nil {
		return named(err, wire.IDBasicPublish)
	}
	if err := ch.answerable(&p); err != nil {
		return named(err, wire.IDBasicPublish)
	}
	if ch.tx != nil {
		return ch.tx.publish(ch, p)
	}
	return named(ch.submit(&p), wire.IDBasicPublish)
}

// acceptable refuses what no exchange would take (AQ38).
func (ch *channel) acceptable(p *publication) error {
	if p.props.Has(wire.FlagUserID) && !ch.c.principal.Is(string(p.props.UserID), ch.c.client.user) {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "user-id '" + string(p.props.UserID) + "' is not the login"}
	}
	in := exchange.Incoming{P: &p.props}
	if _, _, r := in.Expiry(); r != core.OK {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "invalid expiration '" + string(p.props.Expiration) + "'"}
	}
	return ch.exchangeTakes(p.place.exchange)
}

// submit routes a publish and notes what its confirm waits for.
func (ch *channel) submit(p *publication) error {
	seq, pending, r := ch.route(p)
	switch r {
	case core.OK:
	case core.NoReceiver:
		if p.mandatory {
			ch.giveBack(p) // before the confirm (AQ37)
		}
	case core.QueueFull, core.Quota, core.Unavailable, core.DiskFull, core.RateExceeded, core.Busy:
		if ch.confirms.selected {
			ch.c.l.refused(r)
			ch.confirms.add(ch, 0, false, true)
			return nil
		}
		return refusal(r, "publish to exchange '"+p.place.exchange+"'")
	default:
		return refusal(r, "publish to exchange '"+p.place.exchange+"' with key '"+p.place.key+"'")
	}
	if ch.confirms.selected {
		ch.confirms.add(ch, seq, pending, false)
	}
	return nil
}

// route gives the message to its exchange.
func (ch *channel) route(p *publication) (seq uint64, pending bool, r core.Reason) {
	mt, r := ch.match(p)
	if r != core.OK {
		return 0, false, r
	}
	in := exchange.Incoming{
		Envelope: exchange.Envelope{Place: p.place.wire, Properties: p.properties},
		P:        &p.props, Canonical: p.place.canonical, Codec: ch.c.l.codec,
		Reliable: ch.confirms.selected || ch.tx != nil,
	}
	ch.c.l.traffic.Count(ch.c.t, adapters.In, in.QoS(), len(p.body))
	if !mt.Any() && !in.Retain() {
		return 0, false, core.NoReceiver
	}
	m := p.message(in.QoS(), &ch.c.lent)
	defer ch.c.lent.Lend(nil)
	m.Topic = mt.Topic()
	in.Fill(m)
	if d, set, _ := in.Expiry(); set {
		m.Expires = ch.c.t.Now.After(d)
	}
	return ch.c.session.Publish(ch.c.t, mt, m)
}

// message makes the message; a body that came in pieces is ours already. Nobody
// keeps most of QoS 0.
func (p *publication) message(qos uint8, lent *core.Lent) *core.Message {
	switch {
	case p.owned:
		return &core.Message{Payload: p.body}
	case qos == 0:
		return lent.Lend(p.body)
	}
	return core.NewMessage(p.body)
}

// match finds the queues of a publish.
func (ch *channel) match(p *publication) (*core.Match, core.Reason) {
	s, t := ch.c.session, ch.c.t
	switch p.place.exchange {
	case exchange.Default:
		if p.more != nil {
			return s.RouteQueues(t, p.place.name, ch.present(append(p.more, p.place.key))...)
		}
		mt, r := s.RouteQueues(t, p.place.name, p.place.key)
		if r == core.NotFound {
			return s.RouteQueues(t, p.place.name)
		}
		return mt, r
	case exchange.AmqTopic:
		if p.place.legal {
			return s.Route(t, p.place.topic)
		}
		switch {
		case p.place.key == "":
			ch.c.l.host.Metrics.Dropped(exchange.Protocol, "empty_key") // AQ39: AMQP only
		case ch.c.l.codec.Plain: // AM11: never an illegal topic
			ch.c.l.host.Metrics.Dropped(exchange.Protocol, "illegal_topic")
			return s.RouteQueues(t, p.place.name)
		default:
			return nil, core.BadTopic
		}
	}
	return ch.matchBindings(p)
}

// queueTopic begins the topic of a message that was put into a queue.
const queueTopic = "$queue/"

// matchBindings asks the exchange's own bindings. A queue that has gone
// meanwhile takes its bindings along.
func (ch *channel) matchBindings(p *publication) (*core.Match, core.Reason) {
	s, t, space := ch.c.session, ch.c.t, ch.c.space
	queues := space.Route(nil, p.place.exchange, p.place.key, p.props.Headers, p.more...)
	mt, r := s.RouteQueues(t, p.place.name, queues...)
	if r != core.NotFound {
		return mt, r
	}
	return s.RouteQueues(t, p.place.name, ch.present(queues)...)
}

// present leaves the queues that exist, each once. One that has gone takes its
// bindings along.
func (ch *channel) present(queues []string) (left []string) {
	for _, q := range queues {
		if _, r := ch.c.session.Inspect(q); r == core.NotFound {
			ch.dropQueue(q)
		} else if !slices.Contains(left, q) {
			left = append(left, q)
		}
	}
	return left
}

// giveBack returns a mandatory message that reached no queue.
func (ch *channel) giveBack(p *publication) {
	ch.send(&wire.BasicReturn{Code: uint16(wire.NoRoute), Text: wire.NoRoute.String(), Exchange: p.place.exchange, RoutingKey: p.place.key})
	ch.sendContent(p.properties, p.body)
	ch.c.l.count.returned.Add(1)
}

// sendContent appends header and body.
func (ch *channel) sendContent(properties, body []byte) {
	c := ch.c
	h := wire.Header{Class: wire.IDBasicPublish.Class(), BodySize: uint64(len(body)), Properties: properties}
	c.out.B = h.AppendFrame(c.out.B, ch.id)
	c.out.B = wire.AppendBody(c.out.B, ch.id, body, c.frameMax)
}
