package exchange

import (
	"slices"
	"strings"
	"sync"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// Names of exchanges that exist without being declared (specification 3.1.3).
const (
	Default    = ""
	AmqTopic   = "amq.topic"
	AmqDirect  = "amq.direct"
	AmqFanout  = "amq.fanout"
	AmqHeaders = "amq.headers"
	AmqMatch   = "amq.match"
)

// Spec is what an exchange is declared with.
type Spec struct {
	Name       string
	Type       string // direct, fanout, topic, headers
	Durable    bool
	AutoDelete bool   // goes with its last binding
	Internal   bool   // refuses publishes
	Alternate  string // exchange that gets what this one routes nowhere; "": none
	Args       string
}

// Binding joins an exchange to a queue, or to another exchange: then Queue is
// what ToExchange makes of its name.
type Binding struct {
	Exchange string
	Queue    string
	Key      string
	Args     wire.Table
}

// exchangeMark begins a destination that is an exchange: no queue's name holds
// a NUL.
const exchangeMark = "\x00"

// ToExchange names an exchange as the destination of a binding.
func ToExchange(name string) string { return exchangeMark + name }

// Space holds the exchanges of one namespace. It is safe for concurrent use.
type Space struct {
	mu     sync.RWMutex
	max    int
	byName map[string]*exchange
}

type exchange struct {
	spec     Spec
	bindings map[identity]bool // durable
	onward   bool              // had a binding to an exchange
	router   router
}

// identity tells bindings apart: unbind needs equal key and arguments (AQ32).
type identity struct{ queue, key, args string }

// router finds the queues of one exchange. Calls are serialised by the space.
type router interface {
	bind(b Binding) core.Reason
	unbind(b Binding)
	route(dst []string, key string, headers wire.Table) []string
}

// NewSpace makes a namespace's exchanges, those of the specification
// included. max bounds how many can be declared.
func NewSpace(max int) *Space {
	s := &Space{max: max, byName: map[string]*exchange{}}
	s.byName[AmqTopic] = newExchange(Spec{Name: AmqTopic, Type: "direct", Durable: true}) // of the empty key alone
	for _, name := range []string{AmqDirect, AmqFanout, AmqHeaders, AmqMatch} {
		typ := strings.TrimPrefix(name, "amq.")
		if name == AmqMatch {
			typ = "headers"
		}
		s.byName[name] = newExchange(Spec{Name: name, Type: typ, Durable: true})
	}
	return s
}

func newExchange(spec Spec) *exchange {
	x := &exchange{spec: spec, bindings: map[identity]bool{}}
	switch spec.Type {
	case "direct":
		x.router = direct{}
	case "fanout":
		x.router = fanout{}
	case "topic":
		x.router = newTopics()
	default:
		x.router = &headers{}
	}
	return x
}

// KnownType tells whether an exchange of that type can be declared.
func KnownType(typ string) bool {
	return slices.Contains([]string{"direct", "fanout", "topic", "headers"}, typ)
}

// Declare makes an exchange. Reasons: NotSupported for the type, Exists when
// it exists otherwise (AQ24), Quota.
func (s *Space) Declare(spec Spec, rec Recorder) core.Reason {
	if !KnownType(spec.Type) {
		return core.NotSupported
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.byName[spec.Name]; ok {
		if x.spec != spec {
			return core.Exists
		}
		return core.OK
	}
	if len(s.byName) >= s.max {
		return core.Quota
	}
	s.byName[spec.Name] = newExchange(spec)
	if spec.Durable {
		rec.keep(spec.record())
	}
	return core.OK
}

// Lookup finds the properties of an exchange.
func (s *Space) Lookup(name string) (Spec, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	x, ok := s.byName[name]
	if !ok {
		return Spec{}, false
	}
	return x.spec, true
}

// Delete removes an exchange; one that is missing is OK (AQ24). With ifUnused
// one that has bindings is InUse.
func (s *Space) Delete(name string, ifUnused bool, rec Recorder) core.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.byName[name]
	if ok && ifUnused && len(x.bindings) > 0 {
		return core.InUse
	}
	if ok {
		s.drop(x, rec)
	}
	return core.OK
}

// dropDestination removes every binding to a queue or exchange that is gone.
func (s *Space) dropDestination(to string, rec Recorder) {
	for _, x := range s.byName {
		for id := range x.bindings {
			if id.queue == to {
				s.remove(x, id.of(x), rec)
			}
		}
	}
}

// drop forgets an exchange with its bindings.
func (s *Space) drop(x *exchange, rec Recorder) {
	delete(s.byName, x.spec.Name)
	for id, durable := range x.bindings {
		if durable {
			b := id.of(x)
			rec.keep(b.record(), nil)
		}
	}
	if x.spec.Durable {
		key, _ := x.spec.record()
		rec.keep(key, nil)
	}
	s.dropDestination(ToExchange(x.spec.Name), rec)
}

// Bind adds a binding; twice is one. durable: the queue outlives a restart, and
// so does the binding when the exchange does. Reasons: NotFound (exchange), BadFilter
// (a key that the exchange's type refuses), Precondition (arguments).
func (s *Space) Bind(b Binding, durable bool, rec Recorder) core.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.byName[b.Exchange]
	if !ok {
		return core.NotFound
	}
	id := b.identity()
	if _, ok := x.bindings[id]; ok {
		return core.OK
	}
	b.Args = slices.Clone(b.Args)
	if r := x.router.bind(b); r != core.OK {
		return r
	}
	x.bindings[id] = durable && x.spec.Durable
	x.onward = x.onward || strings.HasPrefix(b.Queue, exchangeMark)
	if x.bindings[id] {
		rec.keep(b.record(), []byte{0})
	}
	return core.OK
}

// Unbind removes a binding; one that is not there is OK (AQ32).
func (s *Space) Unbind(b Binding, rec Recorder) core.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.byName[b.Exchange]
	if !ok {
		return core.NotFound
	}
	if _, ok := x.bindings[b.identity()]; ok {
		s.remove(x, b, rec)
	}
	return core.OK
}

// remove takes a binding off, and an auto-delete exchange with its last one
// (AQ25).
func (s *Space) remove(x *exchange, b Binding, rec Recorder) {
	x.router.unbind(b)
	if x.bindings[b.identity()] {
		rec.keep(b.record(), nil)
	}
	delete(x.bindings, b.identity())
	if x.spec.AutoDelete && len(x.bindings) == 0 {
		s.drop(x, rec)
	}
}

// BindEmpty notes a binding of amq.topic that matches the empty key. That key
// has no topic, so the core cannot route it (AQ39).
func (s *Space) BindEmpty(queue, key string, durable bool, rec Recorder) {
	s.Bind(emptyKey(queue, key), durable, rec)
}

// UnbindEmpty undoes BindEmpty.
func (s *Space) UnbindEmpty(queue, key string, rec Recorder) { s.Unbind(emptyKey(queue, key), rec) }

func emptyKey(queue, key string) Binding {
	return Binding{Exchange: AmqTopic, Queue: queue, Args: wire.Table(key)}
}

// DropQueue removes every binding of a queue that is gone.
func (s *Space) DropQueue(queue string, rec Recorder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropDestination(queue, rec)
}

// Route appends the queues that a message with the key, the headers and maybe
// more keys (AQ38) reaches, each once, by way of each exchange once (AQ26,
// AQ28): all keys count at every exchange. The names may be of queues that have
// gone meanwhile.
func (s *Space) Route(dst []string, name, key string, headers wire.Table, more ...string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	w := walk{space: s, key: key, more: more, headers: headers, queues: dst}
	w.visit(name)
	return w.queues
}

// walk is one message on its way through exchanges.
type walk struct {
	space   *Space
	key     string
	more    []string
	headers wire.Table
	queues  []string
	seen    []string
}

func (w *walk) visit(name string) {
	x, ok := w.space.byName[name]
	if !ok {
		return
	}
	if !x.onward { // the common case: only queues
		n := len(w.queues)
		w.queues = w.route(x, w.queues)
		if len(w.queues) > n || x.spec.Alternate == "" {
			return
		}
	}
	if slices.Contains(w.seen, name) {
		return
	}
	w.seen = append(w.seen, name)
	found := w.route(x, nil)
	if len(found) == 0 && x.spec.Alternate != "" {
		w.visit(x.spec.Alternate) // AQ25
	}
	for _, to := range found {
		if next, is := strings.CutPrefix(to, exchangeMark); is {
			w.visit(next)
		} else {
			w.queues = appendOnce(w.queues, to)
		}
	}
}

// route appends where one exchange sends the message.
func (w *walk) route(x *exchange, dst []string) []string {
	dst = x.router.route(dst, w.key, w.headers)
	for _, key := range w.more {
		dst = x.router.route(dst, key, w.headers)
	}
	return dst
}

func (b Binding) identity() identity {
	return identity{queue: b.Queue, key: b.Key, args: string(b.Args)}
}

// of is the binding that an identity stands for.
func (id identity) of(x *exchange) Binding {
	return Binding{Exchange: x.spec.Name, Queue: id.queue, Key: id.key, Args: wire.Table(id.args)}
}

// appendOnce keeps the list of queues a set; lists are short.
func appendOnce(dst []string, queue string) []string {
	if slices.Contains(dst, queue) {
		return dst
	}
	return append(dst, queue)
}
