package core

import (
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/core/topic"
)

// Message is what was published. It does not change after Publish and is
// shared by every receiver; what differs per receiver is in [Delivery].
type Message struct {
	Topic   string // canonical topic; "$queue/NAME" when put into a queue directly
	Payload []byte // never written to after Publish
	Meta    *Meta  // what most messages do not have; nil when none
	Origin  string // name of the protocol it arrived by: set by the room, never copied from the wire
	Expires Time   // delivery makes no sense from this instant on; 0: never
	From    uint64 // identity of the publishing session, for No Local; set by Publish
	QoS     uint8  // 0, 1, 2
	Retain  bool   // as published

	shared bool  // reaches more than one queue
	loaded bool  // when it expires may have to be made earlier (ages)
	lent   bool  // of a Lent: who keeps it takes a copy
	class  uint8 // of those that a turn makes, from 1; 0: none of them
	sole   bool  // its entry in one queue is all that refers to it
	timed  bool  // a frame tells when it was accepted
	frames atomic.Pointer[frame]
	record *sharing // what several durable queues refer to in the store; nil: none
	rev    uint64   // revision of the retained write; 0: none
}

// Meta is the part of a message that few messages have: DESIGN's rare fields.
type Meta struct {
	ContentType     string
	ContentEncoding string
	Text            bool   // the payload is UTF-8 text (MQTT's Payload Format Indicator 1)
	Deletes         bool   // it was published to delete the retained message, not with an empty value for it
	ReplyTo         string // canonical topic, or "$queue/NAME"
	Correlation     []byte
	MessageID       string
	Type            string
	AppID           string
	UserID          string // as the producer asserted it
	GroupID         string
	GroupSeq        uint32
	Priority        uint8
	HasPriority     bool
	Created         Time // when the producer says it was made, by its wall clock; 0: not said
	Headers         []Header
	Via             []string // nodes passed, for loop prevention; at most 8
	Native          *Native
}

// Native is the envelope of the protocol that a message arrived by, kept so
// that a receiver of the same protocol gets the same octets. Core does not
// look inside.
type Native struct {
	Protocol string // the protocol that can read Data
	Data     []byte
}

// Kind is the type of a header's value.
type Kind uint8

// The kinds of header values. Text, Bytes and JSON use Header.Text; the
// others Header.Bits.
const (
	Text  Kind = iota // UTF-8 text
	Bytes             // octets
	JSON              // a nested table or array, as JSON text
	Int               // int64
	Uint              // uint64
	Float             // float64 bits
	Bool              // 0 or 1
	Date              // milliseconds since the Unix epoch, as int64
	Null              // present without a value
)

// Header is one application header. Order and duplicates are kept.
type Header struct {
	Name string
	Text string
	Bits uint64
	Kind Kind
}

// String renders the value for protocols that know text only: integers in
// decimal, booleans as true and false, dates as RFC 3339, octets as they are.
func (h Header) String() string {
	switch h.Kind {
	case Int:
		return strconv.FormatInt(int64(h.Bits), 10)
	case Uint:
		return strconv.FormatUint(h.Bits, 10)
	case Float:
		return strconv.FormatFloat(floatBits(h.Bits), 'g', -1, 64)
	case Bool:
		return strconv.FormatBool(h.Bits != 0)
	case Date:
		return time.UnixMilli(int64(h.Bits)).UTC().Format(time.RFC3339Nano)
	case Null:
		return ""
	default:
		return h.Text
	}
}

// replyLimits is what the wire of any protocol allows: a reply topic is passed
// on, not published to.
var replyLimits = topic.Limits{Levels: math.MaxUint16 + 1}

// Replies tells whether the message has a reply topic that can be published
// to. No protocol is told another: it would only be read as something else.
func (x *Meta) Replies() bool {
	return x.ReplyTo != "" && topic.CheckName(x.ReplyTo, replyLimits) == nil
}

// Remaining is the time until the message expires in whole units, rounded up
// so that it is never 0 while the message lives. ok is false when it never
// expires; n is 0 when it has expired.
func (m *Message) Remaining(now Time, unit time.Duration) (n int64, ok bool) {
	if m.Expires == 0 {
		return 0, false
	}
	left := m.Expires.Until(now)
	if left <= 0 {
		return 0, true
	}
	return int64((left + unit - 1) / unit), true
}

// Expired tells whether the message must not be delivered any more.
func (m *Message) Expired(now Time) bool { return m.Expires != 0 && now >= m.Expires }

// Queue is the NAME of a message that was put into a queue directly, "" for
// every other message.
func (m *Message) Queue() string {
	if name, ok := strings.CutPrefix(m.Topic, queuePrefix); ok {
		return name
	}
	return ""
}

// again is the same message for another way through the queues: it shares the
// bytes, not the record in the store or the encoded forms.
func (m *Message) again() *Message {
	return &Message{
		Topic: m.Topic, Payload: m.Payload, Meta: m.Meta, Origin: m.Origin,
		Expires: m.Expires, From: m.From, QoS: m.QoS, Retain: m.Retain, loaded: m.loaded, rev: m.rev,
	}
}

// Shared tells that the message went to more than one queue, so that an
// encoded form is worth keeping.
func (m *Message) Shared() bool { return m.shared }

// Size is the memory that limits count for the message, in bytes: topic,
// payload, and an estimate of the rest.
func (m *Message) Size() int {
	n := len(m.Topic) + len(m.Payload) + 96
	if m.Meta != nil {
		n += m.Meta.size()
	}
	return n
}

func (x *Meta) size() int {
	n := 256 + len(x.ContentType) + len(x.ReplyTo) + len(x.Correlation)
	for i := range x.Headers {
		n += 48 + len(x.Headers[i].Name) + len(x.Headers[i].Text)
	}
	if x.Native != nil {
		n += len(x.Native.Data)
	}
	return n
}

// frame is one encoded form of a message, in a list that only grows at its
// head; a message has at most a handful.
type frame struct {
	key  uint32
	data []byte
	next *frame
}

// Frame is the encoded form stored under key, nil when there is none. Keys
// are the rooms' own: each takes a value of its own in the upper 16 bits.
func (m *Message) Frame(key uint32) []byte {
	for f := m.frames.Load(); f != nil; f = f.next {
		if f.key == key {
			return f.data
		}
	}
	return nil
}

// SetFrame keeps an encoded form for other receivers. Two that race both
// keep theirs; the newer is found.
func (m *Message) SetFrame(key uint32, data []byte) {
	f := &frame{key: key, data: data}
	for {
		f.next = m.frames.Load()
		if m.frames.CompareAndSwap(f.next, f) {
			return
		}
	}
}
