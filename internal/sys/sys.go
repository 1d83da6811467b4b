// Package sys tells about the gateway below $SYS: mosquitto's topics with values in mosquitto's form, and, if asked for,
// EMQX's events of clients.
//
// It is defined by docs/sys.md. Nothing is counted here: a tick reads what core, the loops and the rooms have counted,
// and publishes what has changed, retained and with QoS 0, as a client of the router.
package sys

import (
	"context"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const broker = "$SYS/broker/"

// Options of a publisher.
type Options struct {
	Router    *core.Router
	Metrics   *adapters.Metrics
	Protocols []string      // those that have topics of their own
	Version   string        // of the gateway
	Interval  time.Duration // between two ticks; 0: no values are published
	Events    *Events       // default: none are published
}

// Publisher publishes below $SYS of the default namespace. Make it with [New], then [Publisher.Run] it.
type Publisher struct {
	// Immutable.
	options Options
	topics  []value

	changes chan change

	// Owned by Run.
	turn    *core.Turn
	started time.Time
	seen    snapshot          // of the last tick; its maxima grow
	told    map[string]string // by topic
	loads   []load
}

// New makes a publisher.
func New(o Options) *Publisher {
	p := &Publisher{options: o, topics: topics(o.Protocols), told: map[string]string{}, changes: make(chan change)}
	for _, m := range averaged {
		p.loads = append(p.loads, load{measure: m})
	}
	return p
}

// change is what may become different while Run runs.
type change struct {
	interval time.Duration
	events   *Events
}

// Change makes another interval and other events hold, as in [Options]. It waits for Run, or for ctx.
func (p *Publisher) Change(ctx context.Context, interval time.Duration, events *Events) {
	select {
	case p.changes <- change{interval, events}:
	case <-ctx.Done():
	}
}

// Run publishes until the context ends. It is called once.
func (p *Publisher) Run(ctx context.Context) {
	p.turn = p.options.Router.NewTurn(nil)
	p.started = time.Now()
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	var ticks <-chan time.Time
	var events <-chan core.Event
	use := func(c change) {
		ticks, events = nil, nil
		if c.interval > 0 {
			ticker.Reset(c.interval)
			ticks = ticker.C
			p.tick()
		}
		if p.options.Events = c.events; c.events != nil {
			events = c.events.queue
		}
	}
	use(change{p.options.Interval, p.options.Events})
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-p.changes:
			use(c)
		case <-ticks:
			p.tick()
		case e := <-events:
			p.tell(e)
		}
	}
}

// tick publishes every value that has changed.
func (p *Publisher) tick() {
	p.turn.Begin()
	now := p.read()
	for i := range p.topics {
		p.publish(p.topics[i].name, p.topics[i].read(&now))
	}
	elapsed := now.uptime - p.seen.uptime
	for i := range p.loads {
		p.loads[i].move(&now, elapsed, p.publish)
	}
	p.seen = now
	p.turn.End()
}

// publish retains a value unless it is what was told last.
func (p *Publisher) publish(name, value string) {
	if old, had := p.told[name]; had && old == value {
		return
	}
	m := core.NewMessage([]byte(value))
	m.Topic, m.Retain = broker+name, true
	if r := p.options.Router.PublishSystem(p.turn, "", m); r == core.OK || r == core.NoReceiver {
		p.told[name] = value
	}
}
