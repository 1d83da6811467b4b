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

// script runs f against the room in virtual time. The addresses of the driver
// are public, so the proof of address is off unless the test says otherwise.
func script(t *testing.T, c Config, f func(d *adaptertest.Driver, c *client)) {
	t.Helper()
	scriptWith(t, c, adaptertest.Options{}, f)
}

func scriptWith(t *testing.T, c Config, o adaptertest.Options, f func(d *adaptertest.Driver, c *client)) {
	t.Helper()
	if c.AddressProof == "" {
		c.AddressProof = "off"
	}
	var ep *Endpoint
	newRoom := func(h *adapters.Host) (adapters.Room, error) {
		r, err := New(h, c)
		if err == nil {
			r.serve = func(e *Endpoint) handler { ep = e; return newTopics(r, e) }
		}
		return r, err
	}
	adaptertest.Test(t, newRoom, o, func(t *testing.T, d *adaptertest.Driver) {
		c := newClient(t, d)
		c.ping()
		c.ep = ep
		f(d, c)
	})
}

// client is a CoAP client that does nothing by itself.
type client struct {
	*adaptertest.Peer
	t  *testing.T
	d  *adaptertest.Driver
	id uint16
	ep *Endpoint // of the first client only
}

// ping also makes the driver make the endpoint, which it does at the first
// datagram.
func (c *client) ping() {
	c.t.Helper()
	c.Send(message.AppendEmpty(nil, message.CON, 1))
	if m := c.must(); m.Type != message.RST || m.ID != 1 {
		c.t.Fatalf("ping: %v", m)
	}
}

func newClient(t *testing.T, d *adaptertest.Driver) *client {
	return &client{Peer: d.NewPeer(), t: t, d: d, id: 100}
}

// again is another client on the network.
func (c *client) another() *client { return newClient(c.t, c.d) }

// put publishes a body of any size, block-wise if need be.
func (c *client) put(path, body string, options ...option) *message.Message {
	c.t.Helper()
	for num := uint32(0); ; num++ {
		at := int(num) * 1024
		more := len(body)-at > 1024
		part := body[at:min(at+1024, len(body))]
		m := c.ask(message.PUT, path, append(options, payload(part), optBlock(message.Block1, num, more, 6))...)
		if !more {
			return m
		}
		if m.Code != message.Continue {
			c.t.Fatalf("block %d: %v", num, m)
		}
	}
}

// option changes a request.
type option func(m *message.Message)

func opt(n message.Number, v string) option {
	return func(m *message.Message) { m.Options.Add(n, []byte(v)) }
}

func optUint(n message.Number, v uint32) option {
	return func(m *message.Message) { m.Options.AddUint(n, v) }
}

func optBlock(n message.Number, num uint32, more bool, szx uint8) option {
	return optUint(n, block(num, more, szx).Value())
}

func token(s string) option {
	return func(m *message.Message) { m.Token, _ = message.NewToken([]byte(s)) }
}

func payload(s string) option { return func(m *message.Message) { m.Payload = []byte(s) } }

func non(m *message.Message) { m.Type = message.NON }

func observe(v uint32) option { return optUint(message.Observe, v) }

func withID(id uint16) option { return func(m *message.Message) { m.ID = id } }

// build makes a CON for path, whose segments are separated by '/', behind a
// '?' the queries by '&'.
func (c *client) build(method message.Code, path string, options ...option) *message.Message {
	c.id++
	m := &message.Message{Type: message.CON, Code: method, ID: c.id}
	m.Token, _ = message.NewToken([]byte("tok"))
	path, queries, _ := strings.Cut(path, "?")
	for s := range strings.SplitSeq(path, "/") {
		m.Options.Add(message.URIPath, []byte(s))
	}
	for s := range strings.SplitSeq(queries, "&") {
		if s != "" {
			m.Options.Add(message.URIQuery, []byte(s))
		}
	}
	for _, o := range options {
		o(m)
	}
	return m
}

func (c *client) send(m *message.Message) { c.t.Helper(); c.Send(m.AppendTo(nil)) }

// next takes the next datagram; nil when none has come.
func (c *client) next() *message.Message {
	c.t.Helper()
	b := c.Recv()
	if b == nil {
		return nil
	}
	m := new(message.Message)
	if err := message.Parse(b, m); err != nil {
		c.t.Fatalf("the endpoint sent %x: %v", b, err)
	}
	return m
}

// must is next, which has to be there.
func (c *client) must() *message.Message {
	c.t.Helper()
	m := c.next()
	if m == nil {
		c.t.Fatal("nothing was sent")
	}
	return m
}

// silent checks that nothing came.
func (c *client) silent() {
	c.t.Helper()
	if m := c.next(); m != nil {
		c.t.Fatalf("unexpected: %v", m)
	}
}

// ask sends a request and returns its answer.
func (c *client) ask(method message.Code, path string, options ...option) *message.Message {
	c.t.Helper()
	m := c.build(method, path, options...)
	c.send(m)
	return c.must()
}

// expect asks and checks the code.
func (c *client) expect(want message.Code, method message.Code, path string, options ...option) *message.Message {
	c.t.Helper()
	m := c.ask(method, path, options...)
	if m.Code != want {
		c.t.Fatalf("%v /%s: %v, want %v", method, path, m, want)
	}
	return m
}

// ack acknowledges, reset rejects a message.
func (c *client) ack(m *message.Message) {
	c.t.Helper()
	c.Send(message.AppendEmpty(nil, message.ACK, m.ID))
}

func (c *client) reset(m *message.Message) {
	c.t.Helper()
	c.Send(message.AppendEmpty(nil, message.RST, m.ID))
}

// register observes a path and returns the first answer.
func (c *client) register(path, tok string, options ...option) *message.Message {
	c.t.Helper()
	return c.expect(message.Content, message.GET, path, append(options, token(tok), observe(0))...)
}

func uintOption(t *testing.T, m *message.Message, n message.Number) uint32 {
	t.Helper()
	v, ok := m.Options.Uint(n)
	if !ok {
		t.Fatalf("%v is absent: %v", n, m)
	}
	return v
}

func absent(t *testing.T, m *message.Message, n message.Number) {
	t.Helper()
	if _, ok := m.Options.First(n); ok {
		t.Fatalf("%v is there: %v", n, m)
	}
}

// counter reads a metric.
func counter(d *adaptertest.Driver, name string, labels ...string) uint64 {
	return d.Host.Metrics.Counter(name, labels...).Load()
}

// slowStore delays each write in virtual time, so that publishes are pending,
// or refuses it.
type slowStore struct {
	core.Store
	delay time.Duration
	err   error
}

func (s *slowStore) Write(b []*core.Batch, sync bool) error {
	time.Sleep(s.delay)
	if s.err != nil {
		return s.err
	}
	return s.Store.Write(b, sync)
}
