package coap

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// fixture is resources of its own, so that the message layer is proved without
// the core (section 11):
//
//	/echo    what came back, with method, path, query and body
//	/slow    the same, once release is called
//	/large   5000 octets of GET, POST answers with its body doubled
//	/created 2.01 with two Location-Path and two Location-Query
type fixture struct {
	ep       *Endpoint
	executed int
	waiting  []*held
}

type held struct {
	f     *fixture
	then  response
	ready bool
	gone  bool
}

func (h *held) poll(_ *core.Turn, _ *peer, r *response) bool {
	if h.ready {
		*r = h.then
	}
	return h.ready
}

func (h *held) cancel(*core.Turn) { h.gone = true }

func (f *fixture) admit(_ *core.Turn, _ *peer, q *request, r *response) (waiter, bool) {
	switch string(q.path[0].Value) {
	case "echo", "slow", "large", "created":
		return nil, true
	}
	r.fail(message.NotFound, "no such resource")
	return nil, false
}

func (f *fixture) serve(_ *core.Turn, _ *peer, q *request, r *response) waiter {
	f.executed++
	var said []string
	for _, o := range append(append(message.Options{}, q.path...), q.query...) {
		said = append(said, string(o.Value))
	}
	r.code = message.Content
	r.payload = []byte(strings.Join(said, " ") + " " + string(q.payload))
	switch string(q.path[0].Value) {
	case "slow":
		h := &held{f: f, then: *r}
		f.waiting = append(f.waiting, h)
		return h
	case "large":
		r.payload = []byte(strings.Repeat("0123456789", 500))
		if q.method == message.POST {
			r.payload = append(append([]byte{}, q.payload...), q.payload...)
		}
		r.setETag(uint64(len(r.payload)))
	case "created":
		r.code, r.payload = message.Created, nil
		r.location = &location{path: []string{"a", "b/c"}, query: []string{"x=1", "y=2"}}
	}
	return nil
}

func (f *fixture) wake(*core.Turn, *peer) {}

// release finishes what /slow holds for c.
func (f *fixture) release(c *client) {
	for _, h := range f.waiting {
		h.ready = true
	}
	f.waiting = nil
	f.ep.peers[source{addr: c.Addr}].handle.Ready(nil)
	c.d.Settle()
}

// bench runs f against the fixture in virtual time.
func bench(t *testing.T, c Config, f func(d *adaptertest.Driver, c *client, x *fixture)) {
	t.Helper()
	if c.AddressProof == "" {
		c.AddressProof = "off"
	}
	x := new(fixture)
	newRoom := func(h *adapters.Host) (adapters.Room, error) {
		r, err := New(h, c)
		if err == nil {
			r.serve = func(e *Endpoint) handler { x.ep = e; return x }
		}
		return r, err
	}
	adaptertest.Test(t, newRoom, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		c := newClient(t, d)
		c.ping()
		f(d, c, x)
	})
}

// until advances in steps of step until something arrives, and returns how
// long that took; at most limit.
func (c *client) until(step, limit time.Duration) (m *message.Message, after time.Duration) {
	c.t.Helper()
	for after < limit {
		c.d.Advance(step)
		after += step
		if m = c.next(); m != nil {
			return m, after
		}
	}
	return nil, after
}
