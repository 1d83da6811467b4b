package adapters

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/core"
)

// Metrics holds the counters that all rooms share, each a name of the
// operations page without its prefix. A room keeps the hot ones (Traffic) by
// value and touches no map per message.
type Metrics struct {
	protocols atomic.Pointer[[]string] // that translations tell apart
	labels    sync.Map                 // labelKey -> *atomic.Uint64

	deliveries func(from, to string, took time.Duration) // nil: nobody is told

	// Guarded by mu.
	mu           sync.Mutex
	traffic      map[string]*Traffic
	translations []*translations // of each loop
}

// Traffic counts the messages of one protocol.
type Traffic struct {
	Messages [2][3]atomic.Uint64 // [In|Out][QoS]
	Bytes    [2][3]atomic.Uint64 // payload bytes
}

// Directions, as index of Traffic.
const (
	In  = 0
	Out = 1
)

// Count adds one message with a payload of n bytes, in a turn of the room's.
func (c *Traffic) Count(t *core.Turn, dir int, qos uint8, n int) {
	c.CountAll(t, dir, qos, 1, n)
}

// CountAll adds so many messages with n bytes of payload together.
func (c *Traffic) CountAll(t *core.Turn, dir int, qos uint8, messages, n int) {
	t.Count(&c.Messages[dir][qos], uint64(messages))
	t.Count(&c.Bytes[dir][qos], uint64(n))
}

// NewMetrics makes an empty set.
func NewMetrics() *Metrics { return &Metrics{traffic: map[string]*Traffic{}} }

// Traffic is the counter set of a protocol, made on first use.
func (m *Metrics) Traffic(protocol string) *Traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.traffic[protocol]
	if c == nil {
		c = new(Traffic)
		m.traffic[protocol] = c
	}
	return c
}

// Protocols calls fn with each protocol's traffic.
func (m *Metrics) Protocols(fn func(protocol string, c *Traffic)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, c := range m.traffic {
		fn(name, c)
	}
}

// Label values of a counter, three at most, in the order of its definition.
type labelKey struct {
	name    string
	a, b, c string
}

// Counter is a labelled counter, made on first use; keep the pointer where it
// is counted often. name is the metric's full name without the prefix
// "entrepot_", its labels are defined in internal/metrics. Values come from
// bounded sets: never a client, user or topic.
func (m *Metrics) Counter(name string, labels ...string) *atomic.Uint64 {
	k := labelKey{name: name}
	for i, dst := range []*string{&k.a, &k.b, &k.c} {
		if i < len(labels) {
			*dst = labels[i]
		}
	}
	if v, ok := m.labels.Load(k); ok {
		return v.(*atomic.Uint64)
	}
	v, _ := m.labels.LoadOrStore(k, new(atomic.Uint64))
	return v.(*atomic.Uint64)
}

// Counters calls fn with every labelled counter.
func (m *Metrics) Counters(fn func(name string, labels [3]string, v uint64)) {
	m.labels.Range(func(k, v any) bool {
		key := k.(labelKey)
		fn(key.name, [3]string{key.a, key.b, key.c}, v.(*atomic.Uint64).Load())
		return true
	})
}

// Lost counts a field that could not be carried from one protocol to another
// (entrepot_mapping_dropped_total).
func (m *Metrics) Lost(from, to, field string) {
	m.Counter("mapping_dropped_total", from, to, field).Add(1)
}

// Dropped counts a message that was not delivered
// (entrepot_messages_dropped_total).
func (m *Metrics) Dropped(protocol, reason string) {
	m.Counter("messages_dropped_total", protocol, reason).Add(1)
}

// ProtocolError counts input that was refused
// (entrepot_protocol_errors_total).
func (m *Metrics) ProtocolError(protocol, reason string) {
	m.Counter("protocol_errors_total", protocol, reason).Add(1)
}

// Refused counts what a client asked for and did not get
// (entrepot_refused_total): a login, a publish, a subscription, a queue. Each
// protocol calls it where it turns the reason into its answer; where there is
// none, as for QoS 0 of MQTT, Dropped counts.
func (m *Metrics) Refused(protocol string, r core.Reason) {
	m.Counter("refused_total", protocol, r.String()).Add(1)
}
