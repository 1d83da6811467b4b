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

	// Owned by Run.
	turn    *core.Turn
	started time.Time
	seen    snapshot          // of the last tick; its maxima grow
	told    map[string]string // by topic
	loads   []load
}

// New makes a publisher.
func New(o Options) *Publisher {
	p := &Publisher{options: o, topics: topics(o.Protocols), told: map[string]string{}}
	for _, m := range averaged {
		p.loads = append(p.loads, load{measure: m})
	}
	return p
}

// Run publishes until the context ends. It is called once.
func (p *Publisher) Run(ctx context.Context) {
	p.turn = p.options.Router.NewTurn(nil)
	p.started = time.Now()
	var ticks <-chan time.Time
	if p.options.Interval > 0 {
		ticker := time.NewTicker(p.options.Interval)
		defer ticker.Stop()
		ticks = ticker.C
		p.tick()
	}
	var events <-chan core.Event
	if p.options.Events != nil {
		events = p.options.Events.queue
	}
	for {
		select {
		case <-ctx.Done():
			return
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
