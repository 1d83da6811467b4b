package mqtt

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// A world is a room in virtual time with its clients.
type world struct {
	*adaptertest.Driver
	t *testing.T
}

// run tests a room with the given configuration, nil for its defaults.
func run(t *testing.T, cfg *Config, f func(w *world), change ...func(*adaptertest.Options)) {
	t.Helper()
	t.Parallel()
	runHere(t, cfg, f, change...)
}

// runHere is run for the parts of a test that follow one another.
func runHere(t *testing.T, cfg *Config, f func(w *world), change ...func(*adaptertest.Options)) {
	t.Helper()
	var o adaptertest.Options
	for _, c := range change {
		c(&o)
	}
	adaptertest.Test(t, roomWith(cfg), o, func(t *testing.T, d *adaptertest.Driver) { f(&world{d, t}) })
}

func roomWith(cfg *Config) adaptertest.NewRoom {
	if cfg == nil {
		cfg = &Config{}
	}
	return func(h *adapters.Host) (adapters.Room, error) { return New(h, cfg) }
}

// deny is an authorizer that refuses the pairs listed as "action topic".
type deny []string

var actions = map[core.Action]string{
	core.ActionPublish: "publish", core.ActionRetain: "retain", core.ActionSubscribe: "subscribe", core.ActionShare: "share",
	core.ActionDeliver: "deliver", core.ActionWill: "will", core.ActionQueue: "queue",
}

func (d deny) Authorize(_ *core.Principal, a core.Action, topic string) bool {
	for _, rule := range d {
		if rule == actions[a]+" "+topic {
			return false
		}
	}
	return true
}

func denying(rules ...string) func(*adaptertest.Options) {
	return func(o *adaptertest.Options) {
		o.Core = func(c *core.Options) { c.Authorizer = deny(rules) }
	}
}

// A peer is a client, seen from its end of the wire.
type peer struct {
	*adaptertest.Conn
	t     *testing.T
	v     packet.Version
	lines []string // fetched by next
}

type connectOption func(*packet.Connect)

func clean(c *packet.Connect)  { c.CleanStart = true }
func resume(c *packet.Connect) { c.CleanStart = false }
func keep(seconds uint32) connectOption {
	return func(c *packet.Connect) {
		c.CleanStart = false
		c.Properties.SetNum(packet.SessionExpiryInterval, seconds)
	}
}
func num(id packet.PropID, v uint32) connectOption {
	return func(c *packet.Connect) { c.Properties.SetNum(id, v) }
}
func keepAliveOf(s uint16) connectOption { return func(c *packet.Connect) { c.KeepAlive = s } }
func will(topic, payload string, qos byte, retain bool, change ...func(*packet.Properties)) connectOption {
	return func(c *packet.Connect) {
		c.HasWill, c.WillTopic, c.WillPayload, c.WillQoS, c.WillRetain = true, []byte(topic), []byte(payload), qos, retain
		for _, f := range change {
			f(&c.WillProperties)
		}
	}
}

// dial opens a connection and sends a CONNECT; the answer is not read.
func (w *world) dial(id string, v packet.Version, opts ...connectOption) *peer {
	w.t.Helper()
	p := &peer{Conn: w.Open(), t: w.t, v: v}
	c := &packet.Connect{Version: v, CleanStart: true, ClientID: []byte(id)}
	for _, o := range opts {
		o(c)
	}
	p.send(c)
	if c := p.Room().(*conn); c.phase == awaitTurn { // a test that uses one identifier again and again
		w.Advance(time.Second / limit.TakeoverRate)
	}
	return p
}

// connect is dial with a CONNACK 00.
func (w *world) connect(id string, v packet.Version, opts ...connectOption) *peer {
	w.t.Helper()
	p := w.dial(id, v, opts...)
	got := p.recv()
	if len(got) == 0 || !strings.HasPrefix(got[0], "CONNACK") || strings.Contains(got[0], "code=") {
		w.t.Fatalf("%s: CONNECT was answered by %q", id, got)
	}
	for _, more := range got[1:] {
		p.t.Errorf("%s: behind CONNACK came %s", id, more)
	}
	return p
}

// resumes is dial with the session present; what came behind the CONNACK is
// returned.
func (w *world) resumes(id string, v packet.Version, opts ...connectOption) (*peer, []string) {
	w.t.Helper()
	p := w.dial(id, v, append([]connectOption{resume}, opts...)...)
	got := p.recv()
	if len(got) == 0 || !strings.HasPrefix(got[0], "CONNACK present") {
		w.t.Fatalf("%s: CONNECT was answered by %q", id, got)
	}
	return p, got[1:]
}

// raw sends bytes given in hex.
func (p *peer) raw(s string) {
	p.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		p.t.Fatal(err)
	}
	p.Send(b)
}

func (p *peer) send(packets ...packet.Packet) {
	p.t.Helper()
	var b []byte
	for _, x := range packets {
		b = x.AppendTo(b, p.v)
	}
	p.Send(b)
}

// recv returns what has come since the last call, a line for each packet.
func (p *peer) recv() (lines []string) {
	p.t.Helper()
	for _, x := range p.packets() {
		lines = append(lines, show(x))
	}
	return lines
}

func (p *peer) packets() (all []packet.Packet) {
	p.t.Helper()
	in := p.Recv()
	for len(in) > 0 {
		h, state := packet.Scan(in, 0)
		if state != packet.Complete {
			p.t.Fatalf("server sent % x, which is not whole packets", in)
		}
		if err := h.Check(p.v, packet.Server); err != nil {
			p.t.Fatalf("server sent % x: %v", in, err)
		}
		x := packet.New(h.Type)
		if err := x.Parse(&packet.Rules{From: packet.Server}, p.v, h.Flags, in[h.Head:h.Size()]); err != nil {
			p.t.Fatalf("server sent % x: %v", in[:h.Size()], err)
		}
		all = append(all, x)
		in = in[h.Size():]
	}
	return all
}

// want checks that exactly these packets have come.
func (p *peer) want(lines ...string) {
	p.t.Helper()
	got := p.recv()
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		p.t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}

// ends checks that the connection was closed with these packets as the last.
func (p *peer) ends(lines ...string) {
	p.t.Helper()
	p.want(lines...)
	if _, closed := p.Closed(); !closed {
		p.t.Error("still open")
	}
}

func (p *peer) open() {
	p.t.Helper()
	if r, closed := p.Closed(); closed {
		p.t.Errorf("closed: %v", r)
	}
}

// show writes a packet as one line: type, #id, flags, content, properties.
func show(x packet.Packet) string {
	var b strings.Builder
	b.WriteString(x.Kind().String())
	add := func(cond bool, format string, args ...any) {
		if cond {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	var props *packet.Properties
	switch x := x.(type) {
	case *packet.Connack:
		add(x.SessionPresent, "present")
		add(x.Code != 0, "code=%02x", byte(x.Code))
		props = &x.Properties
	case *packet.Publish:
		add(x.QoS > 0, "q%d #%d", x.QoS, x.ID)
		add(x.Dup, "dup")
		add(x.Retain, "retain")
		add(true, "%s %q", x.Topic, x.Payload)
		props = &x.Properties
	case *packet.Ack:
		add(true, "#%d", x.ID)
		add(x.Code != 0, "%02x", byte(x.Code))
		props = &x.Properties
	case *packet.Suback:
		add(true, "#%d % x", x.ID, x.Codes)
		props = &x.Properties
	case *packet.Unsuback:
		add(true, "#%d", x.ID)
		add(len(x.Codes) > 0, "% x", x.Codes)
		props = &x.Properties
	case *packet.Disconnect:
		add(true, "%02x", byte(x.Code))
		props = &x.Properties
	case *packet.Auth:
		add(true, "%02x", byte(x.Code))
		props = &x.Properties
	}
	if props != nil {
		showProps(props, add)
	}
	return b.String()
}

func showProps(p *packet.Properties, add func(bool, string, ...any)) {
	for id := packet.PropID(1); id < 0x2B; id++ {
		switch id {
		case packet.ReasonString: // our own words, checked where they matter
		case packet.SubscriptionIdentifier:
			for _, v := range p.SubscriptionIDs {
				add(true, "id=%d", v)
			}
		case packet.ContentType, packet.ResponseTopic, packet.CorrelationData, packet.AssignedClientID, packet.ResponseInformation,
			packet.AuthenticationMethod, packet.AuthenticationData, packet.ServerReference:
			add(p.Has(id), "%02x=%s", byte(id), p.Str(id))
		case packet.UserProperty:
			for _, u := range p.User {
				add(true, "%s:%s", u.Key, u.Value)
			}
		default:
			add(p.Has(id), "%02x=%d", byte(id), p.Num(id, 0))
		}
	}
}

// Packets that tests send.

func sub(id uint16, filter string, o packet.Options, ids ...uint32) *packet.Subscribe {
	s := &packet.Subscribe{ID: id}
	s.AppendFilter(filter, o)
	s.Properties.SubscriptionIDs = ids
	return s
}

func subs(id uint16, filters ...string) *packet.Subscribe {
	s := &packet.Subscribe{ID: id}
	for _, f := range filters {
		s.AppendFilter(f, 1)
	}
	return s
}

func unsub(id uint16, filters ...string) *packet.Unsubscribe {
	u := &packet.Unsubscribe{ID: id}
	for _, f := range filters {
		u.AppendFilter(f)
	}
	return u
}

func pub(topic, payload string, qos byte, id uint16) *packet.Publish {
	return &packet.Publish{Topic: []byte(topic), Payload: []byte(payload), QoS: qos, ID: id}
}

func retained(topic, payload string, qos byte, id uint16) *packet.Publish {
	p := pub(topic, payload, qos, id)
	p.Retain = true
	return p
}

func with(p *packet.Publish, change ...func(*packet.Properties)) *packet.Publish {
	for _, f := range change {
		f(&p.Properties)
	}
	return p
}

func setNum(id packet.PropID, v uint32) func(*packet.Properties) {
	return func(p *packet.Properties) { p.SetNum(id, v) }
}

func setStr(id packet.PropID, v string) func(*packet.Properties) {
	return func(p *packet.Properties) { p.SetStr(id, []byte(v)) }
}

func user(kv ...string) func(*packet.Properties) {
	return func(p *packet.Properties) {
		for i := 0; i < len(kv); i += 2 {
			p.User = append(p.User, packet.Pair{Key: []byte(kv[i]), Value: []byte(kv[i+1])})
		}
	}
}

func ack(t packet.Type, id uint16, code ...packet.Code) *packet.Ack {
	a := &packet.Ack{Type: t, ID: id}
	if len(code) > 0 {
		a.Code = code[0]
	}
	return a
}

func bye(code packet.Code) *packet.Disconnect { return &packet.Disconnect{Code: code} }

var ping = &packet.Ping{Type: packet.PINGREQ}

const (
	v31  = packet.V31
	v311 = packet.V311
	v5   = packet.V5
)

// count reads a counter of the house.
func (w *world) count(name string, labels ...string) uint64 {
	return w.Host.Metrics.Counter(name, labels...).Load()
}

var discard = slog.New(slog.DiscardHandler)
