package coap

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_B8_EachBlockHasTheSameETagAndTogetherTheyAreTheBody(t *testing.T) {
	t.Parallel()
	whole := response{code: message.Content, payload: bytes.Repeat([]byte("abcdefg"), 30)}
	whole.setETag(7)
	var got []byte
	for num := uint32(0); ; num++ {
		var r response
		more, ok := r.cut(&whole, block(num, false, 1), true, 6)
		if !ok || r.etag != 7 || r.block2.Num != num || r.block2.SZX != 1 || r.block2.More != more {
			t.Fatalf("block %d: %+v", num, r)
		}
		if r.has(hasSize2) != (num == 0) {
			t.Errorf("block %d: Size2 %v", num, r.has(hasSize2))
		}
		if got = append(got, r.payload...); !more {
			break
		}
	}
	if !bytes.Equal(got, whole.payload) {
		t.Fatalf("%d octets", len(got))
	}
}

func TestCoAP_B9_BlockBeyondTheEndIsRefused(t *testing.T) {
	t.Parallel()
	whole := response{payload: make([]byte, 64)}
	for num, want := range map[uint32]bool{0: true, 3: true, 4: false, message.MaxBlockNum: false} {
		var r response
		if _, ok := r.cut(&whole, block(num, false, 0), true, 6); ok != want {
			t.Errorf("block %d: %v", num, ok)
		}
	}
}

func TestCoAP_B11_TheSmallerOfTheTwoSizesIsUsed(t *testing.T) {
	t.Parallel()
	whole := response{payload: make([]byte, 4096)}
	for _, c := range []struct{ asked, ours, want uint8 }{{2, 6, 2}, {6, 2, 2}, {0, 0, 0}} {
		var r response
		if _, ok := r.cut(&whole, block(0, false, c.asked), true, c.ours); !ok || r.block2.SZX != c.want || len(r.payload) != 16<<c.want {
			t.Errorf("%+v: %+v", c, r.block2)
		}
	}
	var r response
	if _, ok := r.cut(&whole, block(1, false, 6), true, 4); !ok || r.block2.Offset() != 1024 {
		t.Errorf("the offset moved: %v", r.block2)
	}
}

func TestCoAP_M20_BodyOfOneBlockNeedsNoOption(t *testing.T) {
	t.Parallel()
	var r response
	whole := response{payload: make([]byte, 1024)}
	if more, ok := r.cut(&whole, message.Block{}, false, 6); more || !ok || r.has(hasBlock2) {
		t.Errorf("%+v", r)
	}
	whole.payload = make([]byte, 1025)
	if more, _ := r.cut(&whole, message.Block{}, false, 6); !more || len(r.payload) != 1024 {
		t.Errorf("%+v", r.block2)
	}
}

func TestCoAP_B12_TransferIsHeldUntilItsTimeIsOver(t *testing.T) {
	t.Parallel()
	var ds downloads
	m := budgetOf(100)
	ds.keep([]byte("a"), &response{payload: make([]byte, 60)}, 1000, 2, m)
	if ds.find([]byte("a"), 1000+59_999, time.Minute) == nil {
		t.Fatal("gone too early")
	}
	if ds.find([]byte("a"), 1000+119_999, time.Minute) != nil {
		t.Fatal("held too long")
	}
	ds.keep([]byte("a"), &response{payload: make([]byte, 90)}, 200_000, 2, m)
	if m.used.Load() != 90 || len(ds.list) != 1 {
		t.Fatalf("%d in the budget", m.used.Load())
	}
	ds.keep([]byte("b"), &response{payload: make([]byte, 20)}, 200_000, 2, m)
	if len(ds.list) != 1 {
		t.Fatal("kept beyond the budget")
	}
	ds.expire(300_000, time.Minute, m)
	if m.used.Load() != 0 {
		t.Fatal("not given back")
	}
}

func TestTheTransferIdleLongestMakesRoom(t *testing.T) {
	t.Parallel()
	var ds downloads
	m := budgetOf(100)
	for i := range 3 {
		ds.keep([]byte(fmt.Sprint(i)), &response{payload: []byte("x")}, 1000, 2, m)
		ds.find([]byte("0"), 2000, time.Minute)
	}
	if ds.find([]byte("0"), 2000, time.Minute) == nil || ds.find([]byte("1"), 2000, time.Minute) != nil {
		t.Fatal("the wrong one went")
	}
}
