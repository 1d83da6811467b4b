package mqtt

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// User Properties of our own making, for fields that MQTT has no property for.
const (
	propEncoding  = "amqp-content-encoding"
	propMessageID = "amqp-message-id"
	propPriority  = "amqp-priority"
	propTimestamp = "amqp-timestamp"
	propType      = "amqp-type"
	propAppID     = "amqp-app-id"
	propUserID    = "amqp-user-id"
	propGroupID   = "amqp-group-id"
	propGroupSeq  = "amqp-group-sequence"
)

// metaOf copies what a PUBLISH or a will carries besides topic and payload;
// nil when that is nothing. The order of the User Properties is kept
// [MQTT-3.3.2-18]; those of our own making turn back into fields, and then the
// list as it came is kept for receivers of MQTT.
func metaOf(p *packet.Properties) *core.Meta {
	var x core.Meta
	any := false
	str := func(id packet.PropID) string {
		any = any || p.Has(id)
		return string(p.Str(id))
	}
	x.ContentType, x.ReplyTo = str(packet.ContentType), str(packet.ResponseTopic)
	if p.Has(packet.CorrelationData) {
		any = true
		x.Correlation = append([]byte{}, p.Str(packet.CorrelationData)...)
	}
	x.Text = p.Num(packet.PayloadFormatIndicator, 0) == 1
	raw := unfielded(p)
	own := headersOf(&x, p.User)
	if !any && !x.Text && len(raw) == 0 && len(p.User) == 0 {
		return nil
	}
	if own || len(raw) > 0 {
		for _, u := range p.User {
			raw = packet.AppendUser(raw, u.Key, u.Value)
		}
		x.Native = &core.Native{Protocol: Name, Data: raw}
	}
	return &x
}

// unfielded encodes the properties that are there and say the same as their
// absence: a field cannot tell, receivers of MQTT are to get them unaltered.
func unfielded(p *packet.Properties) (raw []byte) {
	if p.Has(packet.MessageExpiryInterval) && p.Num(packet.MessageExpiryInterval, 0) == 0 {
		raw = packet.AppendNum(raw, packet.MessageExpiryInterval, 0)
	}
	if p.Has(packet.PayloadFormatIndicator) && p.Num(packet.PayloadFormatIndicator, 0) == 0 {
		raw = packet.AppendNum(raw, packet.PayloadFormatIndicator, 0)
	}
	if p.Has(packet.ContentType) && len(p.Str(packet.ContentType)) == 0 {
		raw = packet.AppendStr(raw, packet.ContentType, "")
	}
	return raw
}

// saysExpiry tells that the expiry of a message is among what unfielded kept.
func saysExpiry(m *core.Message) bool {
	if m.Meta == nil || m.Meta.Native == nil || m.Meta.Native.Protocol != Name {
		return false
	}
	data := m.Meta.Native.Data
	return len(data) > 0 && data[0] == byte(packet.MessageExpiryInterval)
}

// headersOf turns User Properties into headers and fields; own tells that some
// became fields.
func headersOf(x *core.Meta, user []packet.Pair) (own bool) {
	for _, u := range user {
		if strings.HasPrefix(string(u.Key), "amqp-") && setField(x, string(u.Key), string(u.Value)) {
			own = true
			continue
		}
		x.Headers = append(x.Headers, core.Header{Name: string(u.Key), Text: string(u.Value)})
	}
	return own
}

// setField turns one of our User Properties back into its field; false when it
// is not ours or does not parse, and so is an ordinary header.
func setField(x *core.Meta, name, value string) bool {
	text := func(field *string) bool {
		if *field != "" || value == "" {
			return false
		}
		*field = value
		return true
	}
	switch name {
	case propEncoding:
		return text(&x.ContentEncoding)
	case propMessageID:
		return text(&x.MessageID)
	case propType:
		return text(&x.Type)
	case propAppID:
		return text(&x.AppID)
	case propUserID:
		return text(&x.UserID)
	case propGroupID:
		return text(&x.GroupID)
	case propPriority:
		n, err := strconv.ParseUint(value, 10, 8)
		if err != nil || x.HasPriority {
			return false
		}
		x.Priority, x.HasPriority = uint8(n), true
		return true
	case propGroupSeq:
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil || x.GroupSeq != 0 {
			return false
		}
		x.GroupSeq = uint32(n)
		return true
	case propTimestamp:
		at, err := time.Parse(time.RFC3339Nano, value)
		if err != nil || x.Created != 0 {
			return false
		}
		x.Created = core.Time(at.UnixMilli())
		return true
	}
	return false
}

// mapper appends the properties of a message of any origin, and counts what
// MQTT cannot carry.
type mapper struct {
	m     *core.Message
	met   *adapters.Metrics
	dst   []byte
	lossy bool
}

// appendMeta appends a message's properties but those that differ per
// delivery: expiry, identifiers, alias. lossy tells that there is more.
func appendMeta(dst []byte, m *core.Message, met *adapters.Metrics) (props []byte, lossy bool) {
	x := m.Meta
	if x == nil {
		return dst, false
	}
	w := &mapper{m: m, met: met, dst: dst}
	if x.Text {
		w.dst = packet.AppendNum(w.dst, packet.PayloadFormatIndicator, 1) // [MQTT-3.3.2-4]
	}
	w.str(packet.ContentType, "content_type", x.ContentType) // [MQTT-3.3.2-20]
	if x.ReplyTo != "" && !x.Replies() {
		w.lost("reply_to")
	} else {
		w.str(packet.ResponseTopic, "reply_to", x.ReplyTo) // [MQTT-3.3.2-15]
	}
	switch {
	case x.Correlation == nil:
	case len(x.Correlation) > math.MaxUint16:
		w.lost("correlation")
	default:
		w.dst = packet.AppendStr(w.dst, packet.CorrelationData, x.Correlation) // [MQTT-3.3.2-16]
	}
	if x.Native != nil && x.Native.Protocol == Name {
		return append(w.dst, x.Native.Data...), w.lossy
	}
	for i := range x.Headers {
		w.header(&x.Headers[i]) // [MQTT-3.3.2-17] [MQTT-3.3.2-18]
	}
	w.fields(x)
	return w.dst, w.lossy
}

func (w *mapper) lost(field string) {
	w.lossy = true
	w.met.Lost(w.m.Origin, Name, field)
}

// legal tells whether s may be an MQTT string.
func legal(s string) bool {
	return len(s) <= math.MaxUint16 && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

func (w *mapper) str(id packet.PropID, field, v string) {
	switch {
	case v == "":
	case !legal(v):
		w.lost(field)
	default:
		w.dst = packet.AppendStr(w.dst, id, v)
	}
}

func (w *mapper) user(field, name, value string) {
	if !legal(name) || !legal(value) {
		w.lost(field)
		return
	}
	w.dst = packet.AppendUser(w.dst, name, value)
}

func (w *mapper) header(h *core.Header) {
	value := h.String()
	if h.Kind == core.Bytes {
		value = base64.StdEncoding.EncodeToString([]byte(h.Text))
	}
	w.user("headers", h.Name, value)
}

// fields appends what AMQP and STOMP know and MQTT does not.
func (w *mapper) fields(x *core.Meta) {
	for _, f := range [...]struct{ name, field, value string }{
		{propEncoding, "content_encoding", x.ContentEncoding},
		{propMessageID, "message_id", x.MessageID},
		{propType, "type", x.Type},
		{propAppID, "app_id", x.AppID},
		{propUserID, "user_id", x.UserID},
		{propGroupID, "group_id", x.GroupID},
	} {
		if f.value != "" {
			w.user(f.field, f.name, f.value)
		}
	}
	if x.GroupSeq != 0 {
		w.user("group_seq", propGroupSeq, strconv.FormatUint(uint64(x.GroupSeq), 10))
	}
	if x.HasPriority {
		w.user("priority", propPriority, strconv.Itoa(int(x.Priority)))
	}
	if x.Created != 0 {
		w.user("created", propTimestamp, time.UnixMilli(int64(x.Created)).UTC().Format(time.RFC3339Nano))
	}
}

// countLosses3 counts what a receiver of 3.x does not get.
func countLosses3(m *core.Message, met *adapters.Metrics) (lossy bool) {
	x := m.Meta
	for _, f := range [...]struct {
		field string
		has   bool
	}{
		{"content_type", x.ContentType != ""}, {"reply_to", x.ReplyTo != ""}, {"correlation", x.Correlation != nil},
		{"text", x.Text}, {"headers", len(x.Headers) > 0}, {"content_encoding", x.ContentEncoding != ""},
		{"message_id", x.MessageID != ""}, {"type", x.Type != ""}, {"app_id", x.AppID != ""}, {"user_id", x.UserID != ""},
		{"group_id", x.GroupID != ""}, {"group_seq", x.GroupSeq != 0}, {"priority", x.HasPriority}, {"created", x.Created != 0},
	} {
		if f.has {
			met.Lost(m.Origin, "mqtt3", f.field)
			lossy = true
		}
	}
	return lossy
}
