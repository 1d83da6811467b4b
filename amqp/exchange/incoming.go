package exchange

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// Headers of our own making (section 6).
const (
	headerRetain      = "x-retain"
	headerTopic       = "x-topic"
	headerContentType = "x-content-type"
	headerUTF8        = "x-utf8"
	headerCorrelation = "x-correlation-id"
	headerReplyTopic  = "x-reply-to-topic"
	headerGroup       = "x-group-id"
	headerGroupSeq    = "x-group-seq"
	headerDuplicates  = "x-dup"
	headerVia         = "x-ep-via"
	headerAttempts    = "x-delivery-count"
)

const queuePrefix = "$queue/"

// maxExpiry is the longest expiration, in milliseconds (AM2).
const maxExpiry = math.MaxUint32

// Incoming is one publish on its way into the core.
type Incoming struct {
	Envelope  Envelope         // views
	P         *wire.Properties // what Envelope.Properties says
	Canonical bool             // exchange and key can be made again from the topic
	Reliable  bool             // confirm or tx: QoS 1 whatever the delivery mode
	Codec     topic.Codec
}

// QoS is 1 for what somebody waits for or wants kept, else 0 (section 6).
func (in *Incoming) QoS() uint8 {
	if in.Reliable || (in.P.Has(wire.FlagDeliveryMode) && in.P.DeliveryMode == 2) {
		return 1
	}
	return 0
}

// Retain reads header x-retain.
func (in *Incoming) Retain() bool {
	if !in.P.Has(wire.FlagHeaders) {
		return false
	}
	v, ok := in.P.Headers.Get(headerRetain)
	b, isBool := v.Bool()
	return ok && isBool && b
}

// Expiry reads the expiration in milliseconds. Precondition when it is not a
// decimal number (AQ38); above 2^32 counts as 2^32.
func (in *Incoming) Expiry() (d time.Duration, set bool, r core.Reason) {
	if !in.P.Has(wire.FlagExpiration) {
		return 0, false, core.OK
	}
	for _, c := range in.P.Expiration {
		if c < '0' || c > '9' {
			return 0, false, core.Precondition
		}
	}
	ms, err := strconv.ParseUint(string(in.P.Expiration), 10, 64)
	switch {
	case len(in.P.Expiration) == 0:
		return 0, false, core.Precondition
	case err != nil || ms > maxExpiry:
		ms = maxExpiry
	}
	return time.Duration(ms) * time.Millisecond, true, core.OK
}

// bare tells that origin, topic and QoS say all there is to say, so that the
// envelope can be made again (Outgoing.envelope).
func (in *Incoming) bare(m *core.Message) bool {
	p := in.P
	if p.Flags == 0 {
		return in.Canonical && m.QoS == 0
	}
	return in.Canonical && p.Flags == wire.FlagDeliveryMode && p.DeliveryMode == 2
}

// Fill sets the message's fields but for topic, payload and expiry.
func (in *Incoming) Fill(m *core.Message) {
	m.Origin, m.QoS, m.Retain = Protocol, in.QoS(), in.Retain()
	if in.bare(m) {
		return
	}
	e := &enveloped{}
	e.native = core.Native{Protocol: Protocol, Data: in.Envelope.AppendTo(nil)}
	e.meta.Native = &e.native
	in.meta(&e.meta)
	m.Meta = &e.meta
}

// meta reads the properties for receivers of other protocols. Each of these
// drops, and counts, what it cannot say: NUL, what is no UTF-8, and the like.
func (in *Incoming) meta(x *core.Meta) {
	p := in.P
	x.ContentType, x.ContentEncoding = string(p.ContentType), string(p.ContentEncoding)
	x.MessageID, x.Type, x.AppID, x.UserID = string(p.MessageID), string(p.Type), string(p.AppID), string(p.UserID)
	if p.Has(wire.FlagCorrelationID) {
		x.Correlation = append([]byte{}, p.CorrelationID...)
	}
	if p.Has(wire.FlagReplyTo) && len(p.ReplyTo) > 0 {
		x.ReplyTo = queuePrefix + string(p.ReplyTo)
	}
	if p.Has(wire.FlagPriority) {
		x.Priority, x.HasPriority = p.Priority, true
	}
	if p.Has(wire.FlagTimestamp) && p.Timestamp < math.MaxInt64/1000 {
		x.Created = core.Time(p.Timestamp * 1000)
	}
	if p.Has(wire.FlagHeaders) {
		in.headers(x)
	}
}

// text is b if it is a text without NUL, else nothing.
func text(b []byte) string {
	s := string(b)
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return ""
	}
	return s
}

// headers sorts our own headers into their fields and keeps the others.
func (in *Incoming) headers(x *core.Meta) {
	dup, hasDup := in.P.Headers.Get(headerDuplicates)
	for n, v := range in.P.Headers.All() {
		name := string(n)
		if in.own(x, name, v) {
			continue
		}
		if !(hasDup && duplicated(dup, name)) {
			x.Headers = append(x.Headers, headerOf(name, v))
		}
	}
	if hasDup {
		x.Headers = append(x.Headers, duplicates(dup)...)
	}
}

// own reads a header that stands for a field; x-ep-via is never taken from a
// client (AM6).
func (in *Incoming) own(x *core.Meta, name string, v wire.Value) bool {
	switch name {
	case headerRetain, headerTopic, headerDuplicates, headerVia, headerAttempts:
	case headerContentType:
		x.ContentType, _ = v.Text()
	case headerUTF8:
		x.Text, _ = v.Bool()
	case headerCorrelation:
		x.Correlation = append([]byte{}, v.Raw...)
	case headerReplyTopic:
		s, _ := v.Text()
		x.ReplyTo = in.Codec.DecodeText(s)
	case headerGroup:
		x.GroupID, _ = v.Text()
	case headerGroupSeq:
		n, _ := v.Int()
		x.GroupSeq = uint32(n)
	default:
		return false
	}
	return true
}

// duplicates reads x-dup: an array of tables with name and value, all of the
// headers whose name came more than once, in order.
func duplicates(v wire.Value) (all []core.Header) {
	for e := range v.Array() {
		t, ok := e.Table()
		name, _ := t.Get("name")
		value, has := t.Get("value")
		if s := string(name.Raw); ok && has && s != "" {
			all = append(all, headerOf(s, value))
		}
	}
	return all
}

func duplicated(v wire.Value, name string) bool {
	for _, h := range duplicates(v) {
		if h.Name == name {
			return true
		}
	}
	return false
}
