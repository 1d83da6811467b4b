package mqtt

import "testing"

func TestMQTT_MQ11_AnswersLeaveInTheOrderOfWhatTheyAnswer(t *testing.T) {
	t.Parallel()
	var q answers
	for i, seq := range []uint64{3, 0, 5, 0, 9} {
		q.push(answer{seq: seq, id: uint16(i)})
	}
	take := func(safe uint64) (ids []uint16) {
		for {
			a, ok := q.pop(safe)
			if !ok {
				return ids
			}
			ids = append(ids, a.id)
		}
	}
	for _, c := range []struct {
		safe uint64
		want int
	}{{2, 0}, {3, 2}, {4, 0}, {8, 2}, {9, 1}, {9, 0}} {
		if got := take(c.safe); len(got) != c.want {
			t.Errorf("safe %d: %v, want %d of them", c.safe, got, c.want)
		}
	}
	if !q.empty() || q.head != 0 {
		t.Error("not reset")
	}
}

// A client that never lets the queue become empty makes it no longer than what
// waits.
func TestAnswersThatWereSentTakeNoRoom(t *testing.T) {
	t.Parallel()
	var q answers
	for i := range 100_000 {
		q.push(answer{seq: uint64(i + 1), id: uint16(i)})
		if a, ok := q.pop(uint64(max(0, i-100))); ok && a.id != uint16(i-101) {
			t.Fatalf("%d came after %d were pushed", a.id, i)
		}
	}
	if cap(q.list) > 1000 {
		t.Errorf("%d places for %d answers", cap(q.list), len(q.list)-q.head)
	}
}
