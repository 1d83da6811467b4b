package core_test

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestWhatWasGivenBackIsBorrowedAgainByItsKind(t *testing.T) {
	t.Parallel()
	type one struct{ n int }
	type other struct{ n int }
	turn := new(core.Turn)
	a, b := core.Borrow[one](turn), core.Borrow[other](turn)
	turn.GiveBack(a)
	turn.GiveBack(b)
	if got := core.Borrow[one](turn); got != a {
		t.Error("another one was made")
	}
	if core.Borrow[one](turn) == a {
		t.Error("an inner call got what the outer one has")
	}
	if core.Borrow[other](turn) != b {
		t.Error("the other kind was lost")
	}
}

func BenchmarkBorrow(b *testing.B) {
	type scratch struct{ _ [1 << 10]byte }
	turn := new(core.Turn)
	for b.Loop() {
		turn.GiveBack(core.Borrow[scratch](turn))
	}
}
