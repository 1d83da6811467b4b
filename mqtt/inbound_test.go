package mqtt

import (
	"testing"

	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MF4_TheQuotaNeverExceedsItsMaximum(t *testing.T) {
	t.Parallel()
	var b inbound
	b.begin(1, packet.PUBACK)
	b.begin(2, packet.PUBREC)
	b.begin(3, packet.SUBACK)
	if b.count != 2 {
		t.Fatalf("count = %d, want 2", b.count)
	}
	for range 3 {
		b.end(2, packet.PUBREC)
		b.end(99, packet.PUBACK)
		b.end(3, packet.SUBACK)
		b.end(1, packet.PUBREC) // of another kind
	}
	if b.count != 1 {
		t.Errorf("count = %d, want 1", b.count)
	}
	if owed, ok := b.owed(1); !ok || owed != packet.PUBACK {
		t.Errorf("owed %v, %v", owed, ok)
	}
	if b.end(1, packet.PUBACK); b.ids != nil || b.count != 0 {
		t.Error("an empty table is kept")
	}
}
