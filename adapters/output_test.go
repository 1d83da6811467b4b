package adapters

import "testing"

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
