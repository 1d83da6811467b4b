package coap

import (
	"fmt"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func TestCoAP_O11_SequenceIsTimeAndNeverGoesBack(t *testing.T) {
	t.Parallel()
	var o observation
	now := core.Time(1_000_000_000)
	last := o.next(now)
	if last != uint32(int64(now)*1000/32)&seqMask {
		t.Fatalf("starts at %d", last)
	}
	for i := range 200_000 {
		if i%1000 == 0 {
			now += 3000
		}
		n := o.next(now)
		if !newer(n, last) {
			t.Fatalf("%d after %d", n, last)
		}
		last = n
	}
	o.seq = seqMask
	now = 0
	if n := o.next(now); n != 0 {
		t.Fatalf("%d after the largest", n)
	}
	for _, k := range []struct {
		a, b uint32
		want bool
	}{{1, 0, true}, {0, 1, false}, {0, 0, false}, {0, seqMask, true}, {1 << 23, 0, false}, {1<<23 - 1, 0, true}} {
		if newer(k.a, k.b) != k.want {
			t.Errorf("newer(%d, %d)", k.a, k.b)
		}
	}
}

func TestCoAP_O11_RegistrationUsesTheSameCounter(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		last := uintOption(t, c.register("ps/a", "o"), message.Observe)
		for i := range 20 {
			c.publish("ps/a", fmt.Sprint(i), non)
			n := uintOption(t, c.must(), message.Observe)
			if !newer(n, last) {
				t.Fatalf("%d after %d", n, last)
			}
			last = n
		}
	})
}
