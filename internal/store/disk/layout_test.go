package disk

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/entrepot/entrepot/core"
)

// entryKey is a record of a queue.
func entryKey(kind byte, queue, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{kind}, queue), seq)
}

func TestATableEndsWhereTheKindOrALongQueueEnds(t *testing.T) {
	t.Parallel()
	var l layout
	for seq := range uint64(3000) {
		for range 4 {
			l.wrote(entryKey('q', 5, seq))
		}
		l.wrote(entryKey('q', 255, seq))
		l.wrote(entryKey('q', 1000+seq, 1)) // many short ones
	}
	for _, c := range []struct{ start, end []byte }{
		{[]byte("a"), []byte("b")},
		{[]byte("s12345678"), []byte("t")},
		{entryKey('p', 5, 1), []byte("q")},
		{entryKey('q', 2, 0), entryKey('q', 5, 0)[:9]},
		{entryKey('q', 5, 0)[:9], entryKey('q', 6, 0)[:9]},
		{entryKey('q', 5, 77), entryKey('q', 6, 0)[:9]},
		{entryKey('q', 6, 0), entryKey('q', 255, 0)[:9]},
		{entryKey('q', 255, 3), entryKey('q', 256, 0)[:9]},
		{entryKey('q', 256, 3), []byte("r")},
		{[]byte{0xff, 1}, nil},
	} {
		if _, end, err := l.policy(c.start); string(end) != string(c.end) || err != nil {
			t.Errorf("from %x to %x, %v; not %x", c.start, end, err, c.end)
		}
	}
	if len(l.counts) > busiest {
		t.Errorf("%d counters", len(l.counts))
	}
	if end := after(place([]byte("q\xff\xff\xff\xff\xff\xff\xff\xff"))); string(end) != "r" {
		t.Errorf("behind the last queue is %x", end)
	}
	for seq := range uint64(200_000) { // what is long is forgotten
		l.wrote(entryKey('q', 2_000_000+seq%500, seq))
	}
	if _, end, _ := l.policy(entryKey('q', 5, 0)); string(end) != "r" {
		t.Errorf("a queue that is not written to still ends a table: %x", end)
	}
}

// Records of several kinds, and three queues that grow at their ends: nothing
// of it has to be written a second time when it sinks.
func TestLongQueuesAreNotWrittenAnew(t *testing.T) {
	t.Parallel()
	o := quiet(t, vfs.NewMem())
	o.Memtable = 256 << 10
	s := mustOpen(t, "data", o)
	defer s.Close()
	value := []byte(strings.Repeat("value", 20))
	for seq := uint64(0); seq < 40_000; seq += 50 {
		var b core.Batch
		for n := range uint64(50) {
			for queue := range uint64(3) {
				b.Set(entryKey('q', queue, seq+n), value)
			}
		}
		b.Set(entryKey('p', 1, seq), value)
		b.Set([]byte("s12345678"), value)
		if err := s.Write([]*core.Batch{&b}, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	var flushed, anew uint64
	for _, level := range s.db.Metrics().Levels {
		flushed += level.TableBytesFlushed
		anew += level.TableBytesCompacted
	}
	t.Logf("%d bytes were flushed, %d written anew", flushed, anew)
	if flushed < 1<<20 || anew > flushed/2 { // what was written before a queue was long
		t.Errorf("of %d bytes %d were written anew", flushed, anew)
	}
}
