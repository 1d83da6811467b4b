package coap

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestCoAP_M9_NoMessageIDIsReusedWithinExchangeLifetime(t *testing.T) {
	t.Parallel()
	for _, start := range []uint16{0, 1, 4095, 4096, 60000, 65535} {
		ids := messageIDs{next: start}
		used := map[uint16]core.Time{}
		now := core.Time(1_000_000)
		refused := 0
		for range 200_000 {
			id, ok := ids.take(now)
			if !ok {
				refused++
				now = now.After(1e9)
				continue
			}
			if at, was := used[id]; was && now < at.After(exchangeLifetime) {
				t.Fatalf("start %d: id %d again after %v", start, id, now.Until(at))
			}
			used[id] = now
		}
		if refused == 0 || len(used) != 1<<16 {
			t.Fatalf("start %d: %d refusals, %d ids", start, refused, len(used))
		}
	}
}

func TestCoAP_M9_IDsAreFreeAgainAfterTheLifetime(t *testing.T) {
	t.Parallel()
	ids, now := messageIDs{next: 9}, core.Time(1)
	for range 1 << 16 {
		if _, ok := ids.take(now); !ok {
			break
		}
	}
	if _, ok := ids.take(now.After(exchangeLifetime) - 1); ok {
		t.Fatal("an id is free too early")
	}
	if _, ok := ids.take(now.After(exchangeLifetime)); !ok {
		t.Fatal("no id is free")
	}
}
