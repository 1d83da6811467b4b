package core

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"unsafe"
)

func someMessages() []*Message {
	meta := &Meta{
		ContentType: "text/plain", ContentEncoding: "gzip", Text: true, ReplyTo: "re/ply", Correlation: []byte{}, MessageID: "id",
		Type: "t", AppID: "a", UserID: "u", GroupID: "g", GroupSeq: 7, Priority: 3, HasPriority: true, Created: 12345,
		Headers: []Header{{Name: "n", Text: "v"}, {Name: "i", Bits: 1 << 60, Kind: Int}}, Via: []string{"x", "y"},
		Native: &Native{Protocol: "p", Data: []byte{1, 2}},
	}
	var all []*Message
	for _, size := range []int{0, 1, 127, 128, packRoom / 2, packRoom/2 + 1, packAlias, packAlias + 1, 70_000} {
		for _, x := range []*Meta{nil, meta, {}} {
			for _, rev := range []uint64{0, 127, 128, 1 << 63} {
				all = append(all, &Message{Topic: "a/b", Payload: bytes.Repeat([]byte{7}, size), Meta: x, Origin: "mqtt", Expires: Time(rev & runMask),
					From: rev, QoS: uint8(size % 3), Retain: size%2 == 0, loaded: rev == 128, rev: rev})
			}
		}
	}
	return append(all, &Message{Topic: string(bytes.Repeat([]byte("t"), 65_535)), Payload: []byte{}, Origin: ""})
}

func TestPackedIsTheMessage(t *testing.T) {
	used := new(Message) // by the one before
	for _, m := range someMessages() {
		for _, owner := range []string{"", "somebody"} {
			p := pack(m, owner)
			x := p.message()
			if got := p.unpack(used); got != owner {
				t.Fatalf("owner %q", got)
			}
			if len(m.Payload) == 0 {
				x.Payload, used.Payload = m.Payload, m.Payload // nothing is nothing
			}
			if p.Key() != m.Topic {
				t.Fatalf("the key of %.100q is %.100q", m.Topic, p.Key())
			}
			if !reflect.DeepEqual(x, m) || !reflect.DeepEqual(used, m) || p.isLoaded() != m.loaded || x.Size() != m.Size() {
				t.Fatalf("%.100v\n%.100v", x, m)
			}
			r := reader{b: p.record(&ages{})}
			if y := r.message(); y.Expires != m.Expires || y.Topic != m.Topic || !bytes.Equal(y.Payload, m.Payload) || r.text() != owner || r.err() != nil {
				t.Fatalf("its record is of %.100v", y)
			}
		}
	}
}

// What was unpacked is nothing that a large payload lives on for.
func TestATopicOutlivesALargePayload(t *testing.T) {
	p := pack(&Message{Topic: "a/b", Payload: make([]byte, 1<<20)}, "")
	if m := p.message(); unsafe.StringData(p.Key()) == topicData(m) {
		t.Error("the topic keeps the payload")
	}
	p = pack(&Message{Topic: "a/b", Payload: make([]byte, packAlias)}, "")
	if m := p.message(); unsafe.StringData(p.Key()) != topicData(m) {
		t.Error("the topic of a small one is copied")
	}
}

// What a room has not let go of stays as it is, whatever another does in the
// same turn and later.
func TestLetGoTakesWhatTheLastTakeGave(t *testing.T) {
	var p []packed
	var items []packed
	for i := range 3 * unpackAtOnce {
		p = append(p, pack(&Message{Topic: fmt.Sprint(i), Payload: []byte{1}}, ""))
		items = append(items, p[i])
	}
	var turn Turn
	u := &turn.unpacked
	take := func(from, n int) (all []*Message) {
		u.begin()
		u.expect(items[from : from+n])
		for i := from; i < from+n; i++ {
			all = append(all, u.next(p[i], n))
			u.next(p[i], n) // the same place, as long as nobody keeps it
			u.keep()
		}
		return all
	}
	are := func(what string, all []*Message, from int) {
		t.Helper()
		for i, m := range all {
			if m.Topic != fmt.Sprint(from+i) || len(m.Payload) != 1 {
				t.Fatalf("%s: %q is %q", what, fmt.Sprint(from+i), m.Topic)
			}
		}
	}
	kept := take(0, 5)
	gone := take(5, 3)
	turn.LetGo()
	if gone[0].Topic != "" {
		t.Error("what was let go still is something")
	}
	if again := take(8, 3); again[0] == kept[0] {
		t.Error("what was kept is used again")
	}
	more := take(11, 2*unpackAtOnce)
	are("kept", kept, 0)
	are("more", more, 11)
	turn.LetGo()
	are("kept", kept, 0)
	last := take(20, 2)
	u.forget()
	take(30, 40)
	turn.LetGo()
	are("of the turn before", last, 20)
}

func topicData(m *Message) *byte { return unsafe.StringData(m.Topic) }
