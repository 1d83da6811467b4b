package listen

import (
	"math/rand/v2"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// alarm is a link that notes when it fired.
type alarm struct {
	link
	noStream
	w     *wheel
	due   core.Time
	fired core.Time
}

func (a *alarm) attend(uint32) {}

func (a *alarm) expire(now core.Time) {
	if a.due == 0 {
		return
	}
	if now < a.due {
		a.w.arm(&a.link, a.due)
		return
	}
	a.due, a.fired = 0, now
}

func TestWheelIsNeverEarlyAndAtMostASlotLate(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 1))
	now := core.Time(1_700_000_000_123)
	w := new(wheel)
	w.start(now)
	alarms := make([]*alarm, 500)
	want := make([]core.Time, len(alarms))
	set := func(i int) {
		a := alarms[i]
		a.due = now + core.Time(rnd.IntN(200_000))
		a.fired, want[i] = 0, a.due
		w.arm(&a.link, a.due)
	}
	for i := range alarms {
		alarms[i] = &alarm{w: w}
		alarms[i].own = alarms[i]
		set(i)
	}
	for step := 0; step < 40_000; step++ {
		before := now
		now += core.Time(rnd.IntN(60))
		w.advance(now)
		for i, a := range alarms {
			switch {
			case a.fired == now && a.due == 0 && want[i] != 0:
				if late := now - max(want[i], before); want[i] > now || late > 60+slotTime {
					t.Fatalf("due %d, fired %d", want[i], now)
				}
				want[i] = 0
			case a.due != 0 && now > a.due+60+slotTime:
				t.Fatalf("due %d, not fired at %d", a.due, now)
			}
		}
		if i := rnd.IntN(len(alarms)); rnd.IntN(4) == 0 {
			set(i)
		} else if rnd.IntN(4) == 0 {
			w.remove(&alarms[i].link)
			alarms[i].due, want[i] = 0, 0
		}
	}
}

func TestWheelTellsWhenItIsNextDue(t *testing.T) {
	t.Parallel()
	now := core.Time(1_700_000_000_000)
	w := new(wheel)
	w.start(now)
	if got := w.next(now); got != -1 {
		t.Fatalf("empty: %d", got)
	}
	a := &alarm{w: w}
	a.own = a
	for _, in := range []core.Time{1, 33, 1000, 5000, 64_000} {
		a.due = now + in
		w.arm(&a.link, a.due)
		got := core.Time(w.next(now))
		if got < in || got > in+slotTime {
			t.Errorf("due in %d, next says %d", in, got)
		}
		now += got
		w.advance(now)
		if a.fired != now {
			t.Errorf("due in %d: not fired at its time", in)
		}
	}
}

func TestWheelFiringMayRemoveOthers(t *testing.T) {
	t.Parallel()
	now := core.Time(1_700_000_000_000)
	w := new(wheel)
	w.start(now)
	var all [4]*killer
	for i := range all {
		all[i] = &killer{w: w, all: &all}
		all[i].own = all[i]
		w.arm(&all[i].link, now+10)
	}
	w.advance(now + 100)
	fired := 0
	for _, k := range all {
		fired += k.fired
	}
	if fired != 1 {
		t.Errorf("%d fired, though the first removed all others", fired)
	}
}

type killer struct {
	link
	noStream
	w     *wheel
	all   *[4]*killer
	fired int
}

func (k *killer) attend(uint32) {}
func (k *killer) expire(core.Time) {
	k.fired++
	for _, o := range k.all {
		k.w.remove(&o.link)
	}
}

func BenchmarkWheelExtend(b *testing.B) {
	now := core.Time(1_700_000_000_000)
	w := new(wheel)
	w.start(now)
	a := &alarm{w: w}
	a.own = a
	for b.Loop() {
		now++
		a.due = now + 60_000
		w.arm(&a.link, a.due)
		w.advance(now)
	}
}
