package stomp

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
	"github.com/entrepot/entrepot/stomp/frame"
)

// frameKey is where this room keeps its encoded properties in a message.
const frameKey = 0x5354 << 16

// appendProperties appends what the message carries beside its payload; lossy
// tells that it has more. The result is kept with a message that has more than one
// receiver, behind an octet that says the same.
func (c *conn) appendProperties(b []byte, m *core.Message) (all []byte, lossy bool) {
	if m.Meta == nil {
		return b, false
	}
	if !m.Shared() {
		return c.encodeProperties(b, m)
	}
	key := frameKey | uint32(c.version)
	data := m.Frame(key)
	if data == nil {
		if data, lossy = c.encodeProperties([]byte{0}, m); lossy {
			data[0] = 1
		}
		m.SetFrame(key, data)
	}
	return append(b, data[1:]...), data[0] != 0
}

func (c *conn) encodeProperties(b []byte, m *core.Message) (all []byte, lossy bool) {
	x, v := m.Meta, c.version
	lost := func(field string) {
		lossy = true
		c.room.count.metrics.Lost(m.Origin, Name, field)
	}
	put := func(name, value string) {
		switch {
		case value == "":
		case !frame.Says(v, name, value):
			lost(strings.ReplaceAll(name, "-", "_"))
		default:
			b = frame.AppendHeader(b, v, name, value)
		}
	}
	put("content-encoding", x.ContentEncoding)
	if utf8.Valid(x.Correlation) && frame.Says(v, "correlation-id", x.Correlation) { // a header holds no NUL
		put("correlation-id", string(x.Correlation))
	} else {
		put("correlation-id", base64.StdEncoding.EncodeToString(x.Correlation))
		put("correlation-id-encoding", "base64")
	}
	if _, own := native(x, "reply-to"); own || x.Replies() {
		put("reply-to", replyTo(x))
	} else if x.ReplyTo != "" {
		lost("reply_to")
	}
	if x.HasPriority {
		put("priority", strconv.Itoa(int(x.Priority)))
	}
	put("type", x.Type)
	if x.Created != 0 {
		s, ok := native(x, "timestamp")
		if !ok {
			s = strconv.FormatInt(int64(x.Created), 10)
		}
		put("timestamp", s)
	}
	put("user-id", x.UserID)
	put("app-id", x.AppID)
	put("amqp-message-id", x.MessageID)
	put("JMSXGroupID", x.GroupID)
	if x.GroupSeq != 0 {
		put("JMSXGroupSeq", strconv.FormatUint(uint64(x.GroupSeq), 10))
	}
	for i := range x.Headers {
		h := &x.Headers[i]
		value := h.String()
		if taken(x, h.Name) || !frame.Says(v, h.Name, value) {
			lost("header")
			continue
		}
		b = frame.AppendHeader(b, v, h.Name, value)
	}
	put("content-type", x.ContentType)
	return b, lossy
}

func replyTo(x *core.Meta) string {
	if s, ok := native(x, "reply-to"); ok {
		return s
	}
	if q, ok := topic.SplitQueue(x.ReplyTo); ok && q == "" {
		return x.ReplyTo
	}
	return string(appendTopic(nil, x.ReplyTo, slash))
}

// taken tells that a user header would be mistaken for one that the server
// writes: the first of a name counts.
func taken(x *core.Meta, name string) bool {
	switch name {
	case "destination", "message-id", "subscription", "ack", "redelivered", "content-length", "id",
		"transaction", "receipt", "receipt-id", "persistent", "retained", "expiration", "expires", "x-delivery-count":
		return true
	case "content-type":
		return x.ContentType != ""
	case "content-encoding":
		return x.ContentEncoding != ""
	case "correlation-id", "correlation-id-encoding":
		return len(x.Correlation) != 0
	case "reply-to":
		return x.ReplyTo != ""
	case "priority":
		return x.HasPriority
	case "type":
		return x.Type != ""
	case "timestamp":
		return x.Created != 0
	case "user-id":
		return true // it would claim to be checked
	case "app-id":
		return x.AppID != ""
	case "amqp-message-id":
		return x.MessageID != ""
	case "JMSXGroupID":
		return x.GroupID != ""
	case "JMSXGroupSeq":
		return x.GroupSeq != 0
	}
	return false
}

// native finds that text.
func native(x *core.Meta, name string) (string, bool) {
	if x.Native == nil || x.Native.Protocol != Name {
		return "", false
	}
	p := frame.Parser{Version: frame.V12}
	var f frame.Frame
	data := append([]byte("SEND\n"), x.Native.Data...)
	if _, ok, err := p.Next(append(data, '\n', 0), &f); !ok || err != nil {
		return "", false
	}
	v, ok := f.Get(name)
	return string(v), ok
}
