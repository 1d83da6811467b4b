package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// Sets of properties that are not kept.
var (
	persistent = []byte{0x10, 0x00, 2} // delivery-mode alone
	transient  = []byte{0x10, 0x00, 1}
	none       = []byte{0, 0}
)

// Outgoing turns a delivery into what an AMQP receiver gets. It keeps the
// memory of the last envelope and belongs to one goroutine.
type Outgoing struct {
	Codec topic.Codec
	Lost  func(from, field string) // told of each field that cannot be carried; nil when nobody counts

	name  string // what place is of
	place []byte
	long  bool // place is cut
	lossy bool // the last envelope lacks something
}

// Envelope builds the envelope for d: a view, until the next call.
func (o *Outgoing) Envelope(d *core.Delivery, now core.Time) Envelope {
	o.lossy = false
	e := o.envelope(d, now)
	if d.Attempt > 1 {
		e.Properties = withAttempts(e.Properties, d.Attempt-1) // AQ50
	}
	return e
}

func (o *Outgoing) envelope(d *core.Delivery, now core.Time) (e Envelope) {
	m := d.Message
	if m.Meta != nil && m.Meta.Native != nil && m.Meta.Native.Protocol == Protocol && e.Parse(m.Meta.Native.Data) {
		return e
	}
	long := o.locate(m.Topic)
	e.Place = o.place
	if m.Origin == Protocol && m.Meta == nil && !m.Retain { // Incoming.bare
		e.Properties = none
		if m.QoS > 0 {
			e.Properties = persistent
		}
		return e
	}
	if m.Meta == nil && m.Expires == 0 && !d.Retain && !long {
		e.Properties = transient
		if m.QoS > 0 {
			e.Properties = persistent
		}
		return e
	}
	p := wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 1 + min(m.QoS, 1)}
	o.fill(&p, m, d.Retain, now)
	if long {
		o.header(&p, headerTopic, wire.Longstr(m.Topic))
	}
	e.Properties = p.AppendTo(nil)
	return e
}

// locate writes where AMQP would have published the topic into place. It
// tells when the key does not fit into a shortstr: the key is then cut and
// carries a hash (AM3). Most consumers see the same topic again.
func (o *Outgoing) locate(name string) (long bool) {
	if name != o.name || len(o.place) == 0 {
		o.name, o.long = name, o.relocate(name)
	}
	return o.long
}

func (o *Outgoing) relocate(name string) (long bool) {
	if q, ok := strings.CutPrefix(name, queuePrefix); ok && len(q) <= 255 {
		o.place = Place(o.place[:0], Default, q)
		return false
	}
	o.place = append(append(o.place[:0], byte(len(AmqTopic))), AmqTopic+"\x00"...)
	start := len(o.place)
	o.place = o.Codec.AppendName(o.place, name)
	if long = len(o.place)-start > 255; long {
		n := 218
		for n > 0 && !utf8.RuneStart(o.place[start+n]) {
			n--
		}
		sum := sha256.Sum256([]byte(name))
		o.place = append(o.place[:start+n], ".%7E"...)
		o.place = hex.AppendEncode(o.place, sum[:16])
	}
	o.place[start-1] = byte(len(o.place) - start)
	return long
}

// fill maps the fields of section 6.
func (o *Outgoing) fill(p *wire.Properties, m *core.Message, retained bool, now core.Time) {
	if left, ok := m.Remaining(now, time.Millisecond); ok {
		p.Expiration = strconv.AppendInt(nil, left, 10)
		p.Flags |= wire.FlagExpiration
	}
	if retained {
		o.header(p, headerRetain, wire.Bool(true))
	}
	x := m.Meta
	if x == nil {
		return
	}
	o.strings(p, m)
	if x.HasPriority {
		p.Flags, p.Priority = p.Flags|wire.FlagPriority, x.Priority
	}
	if x.Created > 0 {
		p.Flags, p.Timestamp = p.Flags|wire.FlagTimestamp, uint64(x.Created/1000)
	}
	if x.Text {
		o.header(p, headerUTF8, wire.Bool(true))
	}
	o.correlation(p, x.Correlation)
	o.replyTo(p, m)
	if x.GroupID != "" {
		o.header(p, headerGroup, wire.Longstr(x.GroupID))
		o.header(p, headerGroupSeq, wire.Int(int64(x.GroupSeq)))
	}
	o.headers(p, m)
}

func (o *Outgoing) header(p *wire.Properties, name string, v wire.Value) {
	p.Headers = p.Headers.Append(name, v)
	p.Flags |= wire.FlagHeaders
}

// strings maps what is a shortstr on both sides.
func (o *Outgoing) strings(p *wire.Properties, m *core.Message) {
	x := m.Meta
	if len(x.ContentType) > 255 || !ascii(x.ContentType) {
		o.header(p, headerContentType, wire.Longstr(x.ContentType))
	} else {
		o.short(p, wire.FlagContentType, &p.ContentType, m, x.ContentType, "content-type")
	}
	o.short(p, wire.FlagContentEncoding, &p.ContentEncoding, m, x.ContentEncoding, "content-encoding")
	o.short(p, wire.FlagMessageID, &p.MessageID, m, x.MessageID, "message-id")
	o.short(p, wire.FlagType, &p.Type, m, x.Type, "type")
	o.short(p, wire.FlagAppID, &p.AppID, m, x.AppID, "app-id")
	o.short(p, wire.FlagUserID, &p.UserID, m, x.UserID, "user-id")
}

func (o *Outgoing) short(p *wire.Properties, f wire.Flag, dst *[]byte, m *core.Message, s, field string) {
	switch {
	case s == "":
	case len(s) > 255:
		o.lost(m, field)
	default:
		*dst = []byte(s)
		p.Flags |= f
	}
}

// Lossy tells whether the last envelope lacks something of its message.
func (o *Outgoing) Lossy() bool { return o.lossy }

func (o *Outgoing) lost(m *core.Message, field string) {
	o.lossy = true
	if o.Lost != nil {
		o.Lost(m.Origin, field)
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (o *Outgoing) correlation(p *wire.Properties, c []byte) {
	switch {
	case c == nil:
	case len(c) <= 255 && text(c) == string(c):
		p.Flags, p.CorrelationID = p.Flags|wire.FlagCorrelationID, c
	default:
		o.header(p, headerCorrelation, wire.Longstr(string(c)))
	}
}

// replyTo: a queue's name is AMQP's reply-to, a topic goes into a header.
func (o *Outgoing) replyTo(p *wire.Properties, m *core.Message) {
	to := m.Meta.ReplyTo
	if to != "" && !m.Meta.Replies() {
		o.lost(m, "reply-to")
		return
	}
	if q, ok := strings.CutPrefix(to, queuePrefix); ok {
		o.short(p, wire.FlagReplyTo, &p.ReplyTo, m, q, "reply-to")
	} else if to != "" {
		o.header(p, headerReplyTopic, wire.Longstr(o.Codec.EncodeName(to)))
	}
}

// headers maps the application headers: the first of a name stands in the
// table, all of a duplicated name in x-dup (AM4).
func (o *Outgoing) headers(p *wire.Properties, m *core.Message) {
	count := map[string]int{}
	for _, h := range m.Meta.Headers {
		count[h.Name]++
	}
	var dup []wire.Value
	seen := map[string]bool{}
	for _, h := range m.Meta.Headers {
		if len(h.Name) > 255 || strings.IndexByte(h.Name, 0) >= 0 {
			o.lost(m, "header")
			continue
		}
		v := valueOf(h)
		if !seen[h.Name] {
			seen[h.Name] = true
			o.header(p, h.Name, v)
		}
		if count[h.Name] > 1 {
			dup = append(dup, wire.Nested(wire.Table{}.Append("name", wire.Longstr(h.Name)).Append("value", v)))
		}
	}
	if dup != nil {
		o.header(p, headerDuplicates, wire.Array(dup...))
	}
}

// withAttempts adds x-delivery-count to properties as they came.
func withAttempts(raw []byte, n uint16) []byte {
	var p wire.Properties
	if p.Parse(raw) != nil {
		return raw
	}
	var t wire.Table
	for name, v := range p.Headers.All() {
		if string(name) != headerAttempts {
			t = t.Append(string(name), v)
		}
	}
	p.Headers = t.Append(headerAttempts, wire.Int(int64(n)))
	p.Flags |= wire.FlagHeaders
	return p.AppendTo(nil)
}
