package main

import "testing"

func TestGarbageStaysBelowTheLevelsOfMemory(t *testing.T) {
	t.Parallel()
	const limit = 256 << 20
	for _, c := range []struct{ live, want int64 }{
		{0, gcPercent}, {4 << 20, gcPercent}, {26 << 20, gcPercent}, {50 << 20, 177}, {100 << 20, 38}, {200 << 20, leastPercent}, {1 << 40, leastPercent},
	} {
		got := int64(percentFor(c.live, 15<<20, limit))
		if got != c.want {
			t.Errorf("%d MiB live: %d, want %d", c.live>>20, got, c.want)
		}
		if heap := c.live + c.live*got/100 + 15<<20; got > leastPercent && heap > limit*7/10 {
			t.Errorf("%d MiB live: %d MiB with garbage", c.live>>20, heap>>20)
		}
	}
}
