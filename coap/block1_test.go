package coap

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func testLimits() uploadLimits {
	return uploadLimits{body: 4096, count: 3, ttl: time.Minute, memory: budgetOf(1 << 20)}
}

func block(num uint32, more bool, szx uint8) message.Block {
	return message.Block{Num: num, More: more, SZX: szx}
}

func TestCoAP_B1_BlocksMakeTheBody(t *testing.T) {
	t.Parallel()
	var us uploads
	l, body := testLimits(), bytes.Repeat([]byte("0123456789abcdef"), 10)
	for i := range 10 {
		u, s := us.put([]byte("k"), block(uint32(i), i < 9, 0), 0, 0, body[i*16:i*16+16], 1, l)
		if want := stepContinue; i < 9 && s != want || i == 9 && (s != stepComplete || !bytes.Equal(u.body, body)) {
			t.Fatalf("block %d: step %d", i, s)
		}
	}
}

func TestCoAP_B1_BlockZeroStartsAfresh(t *testing.T) {
	t.Parallel()
	var us uploads
	l := testLimits()
	full := make([]byte, 16)
	us.put([]byte("k"), block(0, true, 0), 0, 0, full, 1, l)
	us.put([]byte("k"), block(1, true, 0), 0, 0, full, 1, l)
	us.put([]byte("k"), block(0, true, 0), 0, 0, full, 1, l)
	u, s := us.put([]byte("k"), block(1, false, 0), 0, 0, []byte("x"), 1, l)
	if s != stepComplete || len(u.body) != 17 {
		t.Fatalf("step %d", s)
	}
}

func TestCoAP_B3_GapAndMissingStartDropTheState(t *testing.T) {
	t.Parallel()
	var us uploads
	l, full := testLimits(), make([]byte, 16)
	if _, s := us.put([]byte("k"), block(1, true, 0), 0, 0, full, 1, l); s != stepGap {
		t.Fatalf("without a start: %d", s)
	}
	us.put([]byte("k"), block(0, true, 0), 0, 0, full, 1, l)
	if _, s := us.put([]byte("k"), block(2, true, 0), 0, 0, full, 1, l); s != stepGap {
		t.Fatalf("gap: %d", s)
	}
	if _, s := us.put([]byte("k"), block(1, true, 0), 0, 0, full, 1, l); s != stepGap {
		t.Fatal("the state is still there")
	}
	if n := l.memory.used.Load(); n != 0 {
		t.Fatalf("%d octets left in the budget", n)
	}
}

func TestCoAP_B3_RepeatedLastBlockHasTheSameAnswer(t *testing.T) {
	t.Parallel()
	var us uploads
	l, full := testLimits(), make([]byte, 16)
	us.put([]byte("k"), block(0, true, 0), 0, 0, full, 1, l)
	us.put([]byte("k"), block(1, true, 0), 0, 0, full, 1, l)
	if _, s := us.put([]byte("k"), block(1, true, 0), 0, 0, full, 1, l); s != stepContinue {
		t.Fatalf("repeated block in the middle: %d", s)
	}
	u, _ := us.put([]byte("k"), block(2, false, 0), 0, 0, []byte("x"), 1, l)
	if len(u.body) != 33 {
		t.Fatalf("%d octets", len(u.body))
	}
	if _, s := us.put([]byte("k"), block(2, false, 0), 0, 0, []byte("x"), 1, l); s != stepSuspended {
		t.Fatalf("repeated while executing: %d", s)
	}
	u.finish(&response{code: message.Changed}, l.memory)
	u, s := us.put([]byte("k"), block(2, false, 0), 0, 0, []byte("x"), 1, l)
	if s != stepRepeat || u.final.code != message.Changed {
		t.Fatalf("repeated after the answer: %d", s)
	}
}

func TestSingleBlockBodyIsNewEachTime(t *testing.T) {
	t.Parallel()
	var us uploads
	for range 2 {
		u, s := us.put([]byte("k"), block(0, false, 6), 0, 0, []byte("x"), 1, testLimits())
		if s != stepComplete || string(u.body) != "x" {
			t.Fatalf("step %d", s)
		}
	}
}

func TestCoAP_B4_MoreWithAShortOrLongBlockIsRefused(t *testing.T) {
	t.Parallel()
	var us uploads
	for _, n := range []int{0, 15, 17, 32} {
		if _, s := us.put([]byte("k"), block(0, true, 0), 0, 0, make([]byte, n), 1, testLimits()); s != stepBadSize {
			t.Errorf("%d octets: %d", n, s)
		}
	}
	for n, want := range map[int]step{0: stepComplete, 1: stepComplete, 16: stepComplete, 17: stepBadSize, 1000: stepBadSize} {
		var us uploads
		if _, s := us.put([]byte("k"), block(0, false, 0), 0, 0, make([]byte, n), 1, testLimits()); s != want {
			t.Errorf("%d octets in the last: %d", n, s)
		}
	}
}

func TestCoAP_B5_BodyBeyondTheLimitIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	var us uploads
	l := testLimits()
	if _, s := us.put([]byte("k"), block(0, true, 6), 0, 4097, make([]byte, 1024), 1, l); s != stepTooLarge {
		t.Fatalf("announced: %d", s)
	}
	for i := range uint32(4) {
		if _, s := us.put([]byte("k"), block(i, true, 6), 0, 0, make([]byte, 1024), 1, l); s != stepContinue {
			t.Fatalf("block %d: %d", i, s)
		}
	}
	if _, s := us.put([]byte("k"), block(4, false, 6), 0, 0, []byte("x"), 1, l); s != stepTooLarge {
		t.Fatalf("reached: %d", s)
	}
	if l.memory.used.Load() != 0 {
		t.Fatal("the body is still held")
	}
}

func TestCoAP_B6_SmallerBlocksCountInTheNewSize(t *testing.T) {
	t.Parallel()
	var us uploads
	l := testLimits()
	us.put([]byte("k"), block(0, true, 2), 0, 0, make([]byte, 64), 1, l)
	u, s := us.put([]byte("k"), block(4, false, 0), 0, 0, []byte("end"), 1, l)
	if s != stepComplete || len(u.body) != 67 {
		t.Fatalf("step %d", s)
	}
}

func TestCoAP_B6_ClientThatSendsTheRestOfTheFirstBlockAgain(t *testing.T) {
	t.Parallel()
	var us uploads
	l := testLimits()
	us.put([]byte("k"), block(0, true, 2), 0, 0, bytes.Repeat([]byte("0123456789abcdef"), 4), 1, l)
	us.put([]byte("k"), block(1, true, 0), 0, 0, []byte("0123456789abcdef"), 1, l)
	u, s := us.put([]byte("k"), block(2, false, 0), 0, 0, []byte("end"), 1, l)
	if s != stepComplete || string(u.body) != "0123456789abcdef0123456789abcdefend" {
		t.Fatalf("step %d", s)
	}
}

func TestCoAP_B7_ContentFormatMustNotChange(t *testing.T) {
	t.Parallel()
	var us uploads
	l := testLimits()
	us.put([]byte("k"), block(0, true, 0), 0, 0, make([]byte, 16), 1, l)
	if _, s := us.put([]byte("k"), block(1, false, 0), 50, 0, []byte("x"), 1, l); s != stepGap {
		t.Fatalf("step %d", s)
	}
}

func TestCoAP_B13_TransfersAndMemoryAreBounded(t *testing.T) {
	t.Parallel()
	var us uploads
	l := testLimits()
	for i := range 3 {
		us.put([]byte(fmt.Sprint(i)), block(0, true, 0), 0, 0, make([]byte, 16), 1, l)
	}
	if _, s := us.put([]byte("3"), block(0, true, 0), 0, 0, make([]byte, 16), 1, l); s != stepNoMemory {
		t.Fatalf("fourth: %d", s)
	}
	if _, s := us.put([]byte("3"), block(0, true, 0), 0, 0, make([]byte, 16), 60_001, l); s != stepContinue {
		t.Fatal("dead transfers hold the place")
	}
	us.clear(l.memory)
	if l.memory.used.Load() != 0 {
		t.Fatal("not given back")
	}
	l.memory.limit.Store(10)
	if _, s := us.put([]byte("k"), block(0, true, 0), 0, 0, make([]byte, 16), 1, l); s != stepNoMemory || l.memory.used.Load() != 0 {
		t.Fatalf("step %d, %d used", s, l.memory.used.Load())
	}
}

// FuzzUploads feeds any sequence of blocks: the budget is exact, and a body is
// what its blocks were.
func FuzzUploads(f *testing.F) {
	f.Add([]byte{0x08, 0x18, 0x20, 0x20, 0x00})
	f.Add([]byte{0x0e, 0x1e, 0x09, 0x19, 0x21})
	f.Fuzz(func(t *testing.T, seq []byte) {
		var us uploads
		l, now := testLimits(), core.Time(1)
		for i, v := range seq {
			b := message.MakeBlock(uint32(v))
			if b.SZX == 7 {
				now = now.After(30 * time.Second)
				continue
			}
			p := bytes.Repeat([]byte{byte(i)}, b.Size())
			u, s := us.put([]byte{'k', v & 1}, b, int32(v&2), 0, p, now, l)
			if s == stepComplete {
				if len(u.body) != b.Offset()+len(p) {
					t.Fatalf("%d octets behind %v", len(u.body), b)
				}
				u.finish(&response{code: message.Changed}, l.memory)
			}
			held := 0
			for _, u := range us.list {
				held += cap(u.body)
			}
			if int64(held) != l.memory.used.Load() {
				t.Fatalf("%d held, %d in the budget", held, l.memory.used.Load())
			}
		}
	})
}
