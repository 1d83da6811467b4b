package core

import "testing"

func TestRingsComeBackBySize(t *testing.T) {
	t.Parallel()
	var r rings
	small, large := r.take(smallRing), r.take(64)
	r.give(small)
	r.give(large)
	if got := r.begin(uint8(sizeOf(64))); &got[0] != &large[0] {
		t.Error("a queue begins with a ring as large as its last one")
	}
	if got := r.begin(uint8(sizeOf(64))); &got[0] != &small[0] {
		t.Error("or with a small one")
	}
	if r.bytes != 0 {
		t.Errorf("%d bytes are kept", r.bytes)
	}
	r.give(make([]entry, 4))
	r.give(make([]entry, smallRing<<ringSizes))
	if r.bytes != 0 || len(r.take(smallRing<<ringSizes)) != smallRing<<ringSizes {
		t.Error("no queue begins with such a ring")
	}
	for range 10_000 {
		r.give(make([]entry, 256))
	}
	if r.bytes > keptRings {
		t.Errorf("%d bytes are kept", r.bytes)
	}
}
