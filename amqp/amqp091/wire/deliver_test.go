package wire

import (
	"bytes"
	"testing"
)

func TestDeliverFromThePlaceEqualsTheMethod(t *testing.T) {
	t.Parallel()
	place := []byte("\x02ex\x03a.b")
	want := AppendMethodFrame(nil, 3, &BasicDeliver{ConsumerTag: "ct", DeliveryTag: 7, Redelivered: true, Exchange: "ex", RoutingKey: "a.b"})
	if got := AppendDeliver(nil, 3, "ct", 7, true, place); !bytes.Equal(got, want) {
		t.Errorf("deliver %x, want %x", got, want)
	}
	want = AppendMethodFrame(nil, 3, &BasicGetOk{DeliveryTag: 8, Exchange: "ex", RoutingKey: "a.b", MessageCount: 9})
	if got := AppendGetOk(nil, 3, 8, false, place, 9); !bytes.Equal(got, want) {
		t.Errorf("get-ok %x, want %x", got, want)
	}
}
