package stomp

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// field appends one entry of an AMQP table: a long string, or a number.
func field(b []byte, name string, v any) []byte {
	b = append(append(b, byte(len(name))), name...)
	switch v := v.(type) {
	case string:
		b = binary.BigEndian.AppendUint32(append(b, 'S'), uint32(len(v)))
		return append(b, v...)
	case int:
		return binary.BigEndian.AppendUint64(append(b, 'l'), uint64(v))
	}
	panic("no such type")
}

func TestSTOMP_ST32_AQueueEqualsTheOneThatAMQPDeclares(t *testing.T) {
	t.Parallel()
	f := &frame.Frame{Command: frame.Send}
	for _, h := range [][2]string{
		{"x-max-length", "10"}, {"x-overflow", "reject-publish"}, {"x-expires", "60000"}, {"x-queue-type", "quorum"}, {"x-delivery-limit", "3"},
		{"x-max-length-bytes", "1000"}, {"x-other", "user header"},
	} {
		f.Add(h[0], h[1])
	}
	spec, bad := queueSpec(f, "q")
	if bad != nil {
		t.Fatal(bad)
	}
	var table []byte
	table = field(table, "x-queue-type", "quorum")
	table = field(table, "x-max-length", 10)
	table = field(table, "x-expires", 60000)
	table = field(table, "x-overflow", "reject-publish")
	table = field(table, "x-max-length-bytes", 1000)
	table = field(table, "x-delivery-limit", 3)
	want := core.QueueSpec{Name: "q", Durable: true, IdleExpiry: time.Minute, ExpiresFull: true, MaxAttempts: 4, Args: exchange.Canonical(table),
		Limits: core.QueueLimits{Messages: 10, Bytes: 1000, Overflow: core.RejectNew}}
	if spec != want {
		t.Errorf("got  %+v\nwant %+v", spec, want)
	}
}

func TestSTOMP_ST32_QueuePoliciesApply(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		for _, body := range []string{"1", "2", "3"} {
			p.say("SEND", "destination:/queue/short", "x-max-length:2", "", body)
		}
		left(w, "short", "2", "3")
		p.say("SUBSCRIBE", "id:1", "destination:/queue/once", "x-delivery-limit:1", "ack:client")
		p.say("SEND", "destination:/queue/once", "", "x")
		for range 2 {
			p.say("NACK", "id:"+p.bodies("x")[0].header["ack"])
		}
		p.none() // attempts above the limit: rejected
		p.say("SUBSCRIBE", "id:2", "destination:/queue/gone", "x-expires:1000")
		p.say("UNSUBSCRIBE", "id:2")
		p.none()
		w.pass(2 * time.Second)
		p.say("SUBSCRIBE", "id:2", "destination:/amq/queue/gone")
		p.errorFrame("not_found")
		for h, message := range map[string]string{
			"x-message-ttl:1": "not_implemented", "x-dead-letter-exchange:x": "not_implemented", "x-max-length:many": "Invalid header",
			"x-max-length:0": "Invalid header", "x-overflow:shrug": "not_implemented", "x-queue-type:stream": "not_implemented",
		} {
			p := w.connect("1.2")
			p.say("SUBSCRIBE", "id:1", "destination:/queue/new", h)
			p.errorFrame(message)
		}
	})
}
