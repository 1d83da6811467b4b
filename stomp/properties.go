package stomp

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
	"github.com/entrepot/entrepot/stomp/frame"
)

// properties are what the headers of a SEND say beside its destination.
type properties struct {
	qos     uint8
	retain  bool
	expires core.Time
	meta    *core.Meta // nil when no header needs it
}

// readProperties maps the headers of a SEND (docs/stomp.md,
// "Messages"). What is neither the frame's own nor a property is a user header,
// kept in order (ST47).
func (c *conn) readProperties(t *core.Turn, f *frame.Frame) (properties, *failure) {
	var x properties
	sized := false
	for i := range f.Headers {
		h := &f.Headers[i]
		switch string(h.Name) {
		case "destination", "id", "ack", "transaction", "subscription", "message-id", "redelivered", "ep-via":
		case "content-length":
			sized = true
		case "receipt":
			x.qos = 1
		case "persistent":
			if string(h.Value) == "true" {
				x.qos = 1
			}
		case "retain":
			x.retain = string(h.Value) == "true"
		case "expiration", "expires":
			if !x.expire(t, string(h.Name), string(h.Value)) {
				return x, failed(core.Malformed, "Invalid header", "'"+string(h.Name)+"' must be a number of milliseconds")
			}
		default:
			if bad := c.readProperty(t, f, x.more(), string(h.Name), h.Value); bad != nil {
				return x, bad
			}
		}
	}
	if !sized && len(f.Body) > 0 && utf8.Valid(f.Body) {
		x.more().Text = true // without content-length a body is text
	}
	return x, nil
}

func (x *properties) more() *core.Meta {
	if x.meta == nil {
		x.meta = new(core.Meta)
	}
	return x.meta
}

// farthest is the longest time, in milliseconds, and the latest instant that a
// client names: some 4000 years.
const farthest = 1 << 47

// expire reads both dialects: expiration is relative, expires is relative or,
// above 10^12, an instant; 0 there means never.
func (x *properties) expire(t *core.Turn, name, value string) bool {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil || n < 0:
		return false
	case name == "expiration":
		x.expires = t.Now + core.Time(min(n, farthest))
	case n > 1e12:
		x.expires = t.Clock().Of(time.UnixMilli(min(n, farthest)))
	case n > 0:
		x.expires = t.Now + core.Time(n)
	}
	return true
}

func (c *conn) readProperty(t *core.Turn, f *frame.Frame, x *core.Meta, name string, value []byte) *failure {
	v := string(value)
	ok := true
	switch name {
	case "content-type":
		x.ContentType = v
	case "content-encoding":
		x.ContentEncoding = v
	case "correlation-id":
		x.Correlation = readCorrelation(f, value)
	case "correlation-id-encoding":
	case "reply-to":
		return c.readReplyTo(t, x, v)
	case "priority":
		n, err := strconv.ParseUint(v, 10, 8)
		if ok = err == nil && strconv.FormatUint(n, 10) == v; ok {
			x.Priority, x.HasPriority = uint8(n), true
		}
	case "type":
		x.Type = v
	case "timestamp":
		ok = readTimestamp(x, v)
	case "app-id":
		x.AppID = v
	case "amqp-message-id":
		x.MessageID = v
	case "JMSXGroupID":
		x.GroupID = v
	case "JMSXGroupSeq":
		n, err := strconv.ParseUint(v, 10, 32)
		x.GroupSeq, ok = uint32(n), err == nil && strconv.FormatUint(n, 10) == v
	case "user-id":
		if !c.principal.Is(v, c.user) {
			return failed(core.Precondition, "precondition_failed",
				"PRECONDITION_FAILED - user-id '"+v+"' is not the login")
		}
		x.UserID = v
	default:
		ok = false
	}
	if !ok { // also a property that does not read as one: it passes as it is
		k := core.Text
		if !utf8.Valid(value) {
			k = core.Bytes
		}
		x.Headers = append(x.Headers, core.Header{Name: name, Text: v, Kind: k})
	}
	return nil
}

func readCorrelation(f *frame.Frame, v []byte) []byte {
	if text(f, "correlation-id-encoding") == "base64" {
		if raw, err := base64.StdEncoding.DecodeString(string(v)); err == nil {
			return raw
		}
	}
	return append([]byte(nil), v...)
}

// readTimestamp takes seconds or, above 10^11, milliseconds. The text is kept
// for receivers of the same protocol.
func readTimestamp(x *core.Meta, v string) bool {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n <= 0 || n > 1<<52 {
		return false
	}
	if n < 1e11 {
		n *= 1000
	}
	x.Created = core.Time(n)
	if strconv.FormatInt(n, 10) != v {
		keepNative(x, "timestamp", v)
	}
	return true
}

// readReplyTo turns a reply destination into a core topic; a private queue of
// this connection is made for /temp-queue/NAME (ST31). Any other text passes
// unchanged, as a user header.
func (c *conn) readReplyTo(t *core.Turn, x *core.Meta, v string) *failure {
	d, bad := c.room.cfg.parseSend(v)
	if bad != nil && v != "" && topic.CheckName(v, topic.Limits{Levels: len(v) + 1}) != nil { // nobody else can be told; STOMP is, as it is
		x.ReplyTo = v
		keepNative(x, "reply-to", v)
		return nil
	}
	if bad != nil || v[0] != '/' {
		x.Headers = append(x.Headers, core.Header{Name: "reply-to", Text: v})
		return nil
	}
	switch d.kind {
	case toTemp:
		q, bad := c.replyQueue(t, d.name)
		if bad != nil {
			return bad
		}
		x.ReplyTo = queuePrefix + q
		return nil
	case toTopic:
		x.ReplyTo = d.name
	default:
		x.ReplyTo = queuePrefix + d.name
	}
	if string(appendTopic(nil, x.ReplyTo, slash)) != v {
		keepNative(x, "reply-to", v)
	}
	return nil
}

// keepNative notes the text of a property that would be written otherwise.
func keepNative(x *core.Meta, name, value string) {
	if x.Native == nil {
		x.Native = &core.Native{Protocol: Name}
	}
	x.Native.Data = frame.AppendHeader(x.Native.Data, frame.V12, name, value)
}
