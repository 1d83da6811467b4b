package adapters

import (
	"bytes"
	"strings"
	"testing"
)

func TestWhatWasAppendedEarlyIsJoinedOnceAndInPlace(t *testing.T) {
	t.Parallel()
	var out, early Output
	early.B = append(early.B, "early"...)
	out.Early(&early)
	out.B = append(out.B, "ack "...)
	out.Join()
	out.Join()
	if out.B = append(out.B, " late"...); string(out.B) != "ack early late" {
		t.Errorf("%q", out.B)
	}
	out.Reset()
	early.B = append(early.B, "alone"...)
	out.Early(&early)
	out.Join()
	if string(out.B) != "alone" || len(early.B) != 0 {
		t.Errorf("%q and %q", out.B, early.B)
	}
	out.Reset()
	early.B = make([]byte, OutputSoft)
	if out.Early(&early); !out.Full() {
		t.Error("what is joined counts")
	}
}

func TestWhatIsLentLeavesInItsPlace(t *testing.T) {
	t.Parallel()
	lent := func(c string) []byte { return []byte(strings.Repeat(c, lentLeast)) }
	x, y := lent("x"), lent("y")
	var out, early Output
	for _, borrows := range []bool{false, true} {
		early.Borrows(borrows)
		early.B = append(early.B, '1')
		early.Lend(x)
		early.B = append(early.B, '2')
		had := early.Mark()
		early.Lend(y)
		early.B = append(early.B, '3')
		early.Cut(had)
		early.Lend(y)
		early.Lend([]byte("short"))
		out.Early(&early)
		out.B = append(out.B, "ack"...)
		out.Join()
		out.B = append(out.B, "end"...)
		want := "ack1" + string(x) + "2" + string(y) + "shortend"
		if got := string(bytes.Join(out.Pieces(nil), nil)); got != want || out.Len() != len(want) || early.Len() != 0 {
			t.Errorf("borrows %t: %.20q of %d bytes, Len %d; %d are left", borrows, got, len(got), out.Len(), early.Len())
		}
		if out.Lent() != borrows {
			t.Errorf("borrows %t: lent %t", borrows, out.Lent())
		}
		out.Own()
		clear(x) // the input is overwritten
		if string(out.B) != want || out.Lent() {
			t.Errorf("borrows %t: %.20q is its own", borrows, out.B)
		}
		out.Reset()
		x = lent("x")
	}
}
