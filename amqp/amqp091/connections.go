package amqp091

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// connections are those that are open, for operators (AQ18). A loop holds the lock
// when one opens and when it ends; who lists holds it while a table of pointers is
// copied.
type connections struct {
	mu sync.Mutex
	// Guarded by mu.
	all []*listed
	by  map[string]*listed // by name
}

// listed is what operators are told of one connection.
type listed struct {
	// Immutable.
	handle     adapters.Handle
	name       string
	given      string
	user       string
	namespace  string
	mechanism  string
	info       *adapters.Info
	since      time.Time
	properties wire.Table
	channelMax int
	frameMax   int
	heartbeat  time.Duration

	at int // in connections.all; guarded by connections.mu

	channels atomic.Int32
	blocked  atomic.Bool
	closing  atomic.Bool
	why      atomic.Pointer[string] // an operator's reason for its end
}

// keptProperties bounds what is kept of a client's properties, in bytes.
const keptProperties = 4096

// kept copies a client's properties: as many as the bound lets, in their order.
func kept(t wire.Table) (some wire.Table) {
	if len(t) <= keptProperties {
		return slices.Clone(t)
	}
	for name, v := range t.All() {
		if more := some.Append(string(name), v); len(more) <= keptProperties {
			some = more
		}
	}
	return slices.Clip(some)
}

// list makes the connection known to operators.
func (c *Conn) list() {
	x := &listed{
		handle: c.handle, given: c.client.name, user: c.principal.User, namespace: c.session.Namespace(), mechanism: c.client.mechanism,
		info: &c.info, since: c.t.Clock().Wall(c.t.Now), properties: c.client.properties,
		channelMax: c.chanMax, frameMax: int(c.frameMax), heartbeat: c.heart.interval,
	}
	if c.principal.Method == core.Anonymous.Method && c.client.user != "" { // nobody has checked it
		x.user = c.client.user
	}
	c.client.properties = nil
	c.listed = x
	c.l.connections.add(x)
}

// unlist ends that.
func (c *Conn) unlist() {
	if c.listed != nil {
		c.l.connections.remove(c.listed)
	}
}

// evicted is what the client is told of its end.
func (c *Conn) evicted(r core.Reason) *wire.Error {
	e := refusal(r, "connection was ended")
	if c.listed != nil && r == core.Kicked {
		if why := c.listed.why.Load(); why != nil {
			e.Text = *why
		}
	}
	if !e.Code.Hard() {
		e.Code = wire.ConnectionForced
	}
	return e
}

// end of a path as names of connections show it.
func endpoint(a netip.AddrPort) string {
	if !a.IsValid() {
		return "unix"
	}
	return unmapped(a).String()
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// add names a connection by the two ends of its path, as RabbitMQ does, and
// lists it. A proxy can make two of them alike.
func (x *connections) add(l *listed) {
	base := endpoint(l.info.Remote) + " -> " + endpoint(l.info.Local)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.by == nil {
		x.by = map[string]*listed{}
	}
	l.name = base
	for n := len(x.by) + 1; x.by[l.name] != nil; n++ {
		l.name = fmt.Sprintf("%s (%d)", base, n)
	}
	l.at = len(x.all)
	x.all = append(x.all, l)
	x.by[l.name] = l
}

func (x *connections) remove(l *listed) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.by[l.name] != l {
		return
	}
	delete(x.by, l.name)
	end := len(x.all) - 1
	x.all[l.at] = x.all[end]
	x.all[l.at].at = l.at
	x.all[end] = nil
	x.all = x.all[:end]
}

func (x *connections) find(name string) *listed {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.by[name]
}

func (x *connections) snapshot() []*listed {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.all)
}

// Connections are those that are open, by their names (AQ18). Any goroutine.
func (l *Listener) Connections() iter.Seq[adapters.Connection] {
	return func(yield func(adapters.Connection) bool) {
		all := l.connections.snapshot()
		slices.SortFunc(all, func(a, b *listed) int { return cmp.Compare(a.name, b.name) })
		for _, x := range all {
			if !yield(x.connection()) {
				return
			}
		}
	}
}

// Connection is the one of that name. Any goroutine.
func (l *Listener) Connection(name string) (c adapters.Connection, ok bool) {
	x := l.connections.find(name)
	if x == nil {
		return c, false
	}
	return x.connection(), true
}

// Disconnect ends a connection with 320 and tells its client why (AQ18). Any
// goroutine. false: there is none of that name.
func (l *Listener) Disconnect(name, why string) bool {
	x := l.connections.find(name)
	if x == nil {
		return false
	}
	if why = strings.ToValidUTF8(why, "\uFFFD"); why != "" {
		x.why.CompareAndSwap(nil, &why)
	}
	x.closing.Store(true)
	x.handle.Evict(core.Kicked)
	return true
}

func (x *listed) connection() adapters.Connection {
	c := adapters.Connection{
		Name: x.name, Given: x.given, User: x.user, Namespace: x.namespace, Protocol: "AMQP 0-9-1", Mechanism: x.mechanism, State: "running",
		Remote: unmapped(x.info.Remote), Local: unmapped(x.info.Local), TLS: x.info.TLS, Since: x.since,
		Channels: int(x.channels.Load()), ChannelMax: x.channelMax, FrameMax: x.frameMax, Heartbeat: x.heartbeat, Properties: exchange.JSON(x.properties),
	}
	switch {
	case x.closing.Load():
		c.State = "closing"
	case x.blocked.Load():
		c.State = "blocked"
	}
	return c
}
