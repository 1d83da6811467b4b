package stomp

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
	"github.com/entrepot/entrepot/stomp/frame"
)

// unsupported headers would change what is delivered; they are refused by name,
// so that nobody mistakes silence for support (docs/stomp.md).
var unsupported = []string{"selector", "x-priority", "x-stream-offset", "x-stream-filter"}

func (c *conn) subscribe(t *core.Turn, f *frame.Frame) (mark, *failure) {
	sub, bad := c.newSubscription(f)
	if bad != nil {
		return mark{}, bad
	}
	m, bad := c.openSubscription(t, sub, f)
	if bad != nil {
		return mark{}, bad
	}
	if text(f, "receipt") != "" {
		sub.held, m.opens = true, sub
	}
	c.startSubscription(sub)
	return m, nil
}

// newSubscription reads and checks the frame.
func (c *conn) newSubscription(f *frame.Frame) (*subscription, *failure) {
	text1, ok := f.Get("destination")
	if !ok {
		return nil, failed(core.ProtocolError, "Missing destination", "'destination' is required")
	}
	id, hasID := f.Get("id")
	switch {
	case !hasID && c.version >= frame.V11: // ST39
		return nil, failed(core.ProtocolError, "Missing header", "'id' is required")
	case strings.HasPrefix(string(id), "/temp-queue/"):
		return nil, failed(core.ProtocolError, "Invalid id", "'"+string(id)+"' is reserved")
	}
	for _, name := range unsupported {
		if _, ok := f.Get(name); ok {
			return nil, notImplemented("header '" + name + "'")
		}
	}
	if text(f, "browser") == "true" {
		return nil, notImplemented("header 'browser'")
	}
	sub := &subscription{id: string(id), key: "T_" + string(id)}
	if !hasID {
		sub.key = "Q_" + string(text1)
	}
	if c.subs.byKey[sub.key] != nil {
		return nil, failed(core.Exists, "Duplicated subscription identifier",
			"A subscription identified by '"+sub.key+"' already exists.")
	}
	if len(c.subs.byKey) >= c.room.cfg.MaxSubscriptions {
		return nil, fromReason(core.Quota, "subscriptions of a connection")
	}
	var bad *failure
	if sub.dest, bad = c.subscribeDestination(f, string(text1)); bad != nil {
		return nil, bad
	}
	if sub.mode, bad = ackModeOf(f); bad != nil {
		return nil, bad
	}
	sub.window, bad = c.windowOf(f)
	return sub, bad
}

// subscribeDestination applies the headers that change what is subscribed to.
func (c *conn) subscribeDestination(f *frame.Frame, s string) (destination, *failure) {
	if s != "" && s[0] != '/' && anycast(f, "subscription-type") {
		s = "/queue/" + s
	}
	d, bad := c.room.cfg.parseSubscribe(s)
	if g := text(f, "x-group"); bad == nil && g != "" && d.kind == toTopic {
		if _, _, _, err := topic.SplitShare("$share/" + g + "/" + d.name); err != nil {
			return d, failed(core.BadFilter, "Invalid header", "'"+g+"' is no name of a group")
		}
		d.group = g
	}
	return d, bad
}

// anycast reads Artemis's routing type for a destination without a prefix.
func anycast(f *frame.Frame, name string) bool {
	v := text(f, name)
	if v == "" {
		v = text(f, "destination-type")
	}
	return v == "ANYCAST"
}

func ackModeOf(f *frame.Frame) (ackMode, *failure) {
	switch v, ok := f.Get("ack"); {
	case !ok || string(v) == "auto":
		return ackAuto, nil
	case string(v) == "client":
		return ackClient, nil
	case string(v) == "client-individual":
		return ackIndividual, nil
	default: // ST40
		return 0, failed(core.Malformed, "Invalid header", "'"+string(v)+"' is no ack mode")
	}
}

// windowOf reads the three dialects of the window.
func (c *conn) windowOf(f *frame.Frame) (int, *failure) {
	for _, name := range []string{"prefetch-count", "activemq.prefetchSize", "consumer-window-size"} {
		v, ok := f.Get(name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(string(v), 10, 31)
		if err != nil {
			return 0, failed(core.Malformed, "Invalid header", "'"+name+"' must be a number")
		}
		if name == "consumer-window-size" { // octets; 0 means one at a time
			n = max(1, n/1024)
		}
		if n == 0 { // no limit
			break
		}
		return min(int(n), c.room.cfg.MaxUnacked), nil
	}
	return c.room.cfg.Prefetch, nil
}

// startSubscription makes it known and precomputes what its MESSAGEs begin
// with.
func (c *conn) startSubscription(sub *subscription) {
	sub.consumer.Data = sub
	sub.lead = frame.AppendCommand(nil, frame.Message)
	if sub.id != "" || strings.HasPrefix(sub.key, "T_") {
		sub.lead = frame.AppendHeader(sub.lead, c.version, "subscription", sub.id)
	}
	sub.fixed = len(sub.lead)
	line := frame.AppendHeader(nil, c.version, "i", sub.key+"@@"+c.id+"@@")
	sub.idHead = line[2 : len(line)-1]
	c.subs.add(sub)
	c.subs.serve(sub)
	c.room.count.subscriptions.Add(1)
}

// openSubscription makes the queue, bindings and consumer that the
// destination stands for.
func (c *conn) openSubscription(t *core.Turn, sub *subscription, f *frame.Frame) (mark, *failure) {
	d := sub.dest
	switch d.kind {
	case toQueue, toExisting:
		return c.consumeQueue(t, sub, f)
	case toTemp:
		return c.consumeTemp(t, sub)
	}
	durable, name, bad := c.durableName(f, sub)
	switch {
	case bad != nil:
		return mark{}, bad
	case name != "":
		return c.consumeNamed(t, sub, f, name, durable)
	}
	opts := sub.options(f)
	var r core.Reason
	if d.group != "" {
		sub.consumer, r = c.session.JoinGroup(t, d.group, d.name, opts)
	} else {
		spec := core.QueueSpec{Limits: core.QueueLimits{
			Messages: c.room.cfg.QueueMax, Bytes: c.room.cfg.QueueMaxBytes, Overflow: core.DropOldest, // ST61
		}}
		sub.consumer, r = c.session.Open(t, spec, opts, sub.binding(f, 1))
	}
	if r != core.OK {
		return mark{}, fromReason(r, d.name)
	}
	return mark{}, nil
}

// options are what the consumer asks of the core.
func (s *subscription) options(f *frame.Frame) core.ConsumeOptions {
	return core.ConsumeOptions{
		QoS: 1, NoAck: s.mode == ackAuto, AckAll: s.mode != ackAuto, NoLocal: noLocal(f),
		Exclusive: text(f, "exclusive") == "true" || text(f, "activemq.exclusive") == "true",
	}
}

func noLocal(f *frame.Frame) bool {
	return text(f, "no-local") == "true" || text(f, "activemq.noLocal") == "true"
}

// binding is the core's subscription for the filter.
func (s *subscription) binding(f *frame.Frame, qos uint8) core.Subscription {
	b := core.Subscription{Filter: s.dest.name, QoS: qos, NoLocal: noLocal(f), Wide: s.dest.wide}
	switch text(f, "x-retain-handling") {
	case "1":
		b.RetainHandling = 1
	case "2":
		b.RetainHandling = 2
	}
	return b
}

// durableName is the queue's name of a durable topic subscription, or the one
// that x-queue-name asks for.
func (c *conn) durableName(f *frame.Frame, sub *subscription) (durable bool, name string, bad *failure) {
	durable = text(f, "durable") == "true" || text(f, "persistent") == "true"
	key := subscriptionName(f)
	if key != "" {
		durable = true
	}
	if name = text(f, "x-queue-name"); name != "" || !durable {
		return durable, name, nil
	}
	if key == "" {
		key = sub.id
	}
	if key == "" { // ST45
		return true, "", failed(core.ProtocolError, "Missing Header", "Header 'id' is required for durable subscriptions")
	}
	return true, c.durableQueue(key), nil
}

// subscriptionName reads the names of ActiveMQ and Artemis.
func subscriptionName(f *frame.Frame) string {
	for _, name := range []string{"durable-subscription-name", "durable-subscriber-name", "activemq.subscriptionName"} {
		if v := text(f, name); v != "" {
			return v
		}
	}
	return ""
}

// durablePrefix begins the names of the queues of durable subscriptions.
const durablePrefix = "stomp-subscription-"

// durableQueue names the queue by principal, client-id and subscription, so
// that another user with the same id has another queue (ST45).
func (c *conn) durableQueue(key string) string {
	h := sha256.New()
	for _, s := range []string{c.session.Principal().User, c.clientID, key} {
		h.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	return durablePrefix + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}
