package core

import (
	"testing"
	"unsafe"
)

// A million sessions that are away are a million of these: none may grow into
// the next class of the allocator unnoticed.
func TestWhatThereIsOfEachSessionIsSmall(t *testing.T) {
	for name, c := range map[string]struct{ size, most uintptr }{
		"session":      {unsafe.Sizeof(session{}), 128},
		"lasting":      {unsafe.Sizeof(lasting{}), 80},
		"Session":      {unsafe.Sizeof(Session{}), 128},
		"rare":         {unsafe.Sizeof(rare{}), 32},
		"Queue":        {unsafe.Sizeof(Queue{}), 288},
		"paged":        {unsafe.Sizeof(paged{}), 112},
		"segment":      {unsafe.Sizeof(segment{}), 80},
		"subscription": {unsafe.Sizeof(binding{}), 64},
		"entry":        {unsafe.Sizeof(entry{}), 48},
		"Message":      {unsafe.Sizeof(Message{}), 112},
	} {
		if unsafe.Sizeof(uintptr(0)) == 8 && c.size > c.most {
			t.Errorf("a %s is %d bytes, more than %d", name, c.size, c.most)
		}
	}
}

func TestQueuesThatAreAlikeShareTheirSpecification(t *testing.T) {
	var x specs
	a, b := x.ofSession(QueueLimits{Messages: 7}), x.ofSession(QueueLimits{Messages: 7})
	if a != b || a.Limits.Messages != 7 || x.ofSession(QueueLimits{}) != &plainSpec || x.ofSession(QueueLimits{Messages: 8}) == a {
		t.Error("of sessions")
	}
	latest := QueueSpec{Latest: true}
	p, q := x.of(privateQueue, latest), x.of(privateQueue, latest)
	if p != q || !p.Latest || x.of(privateQueue, QueueSpec{}) == p || x.of(namedQueue, latest) == x.of(namedQueue, latest) {
		t.Error("of private queues alone")
	}
}
