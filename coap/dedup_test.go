package coap

import (
	"testing"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func always(int) bool { return true }
func never(int) bool  { return false }

func TestCoAP_M7_WindowRemembersForTheLifetimeOfTheType(t *testing.T) {
	t.Parallel()
	var d dedup
	d.add(1, message.CON, 1000, 64, always)
	d.add(2, message.NON, 1000, 64, always)
	if d.find(1, 1000+246_999) == nil || d.find(1, 1000+247_000) != nil {
		t.Error("a CON is remembered for 247 s")
	}
	if d.find(2, 1000+144_999) == nil || d.find(2, 1000+145_000) != nil {
		t.Error("a NON is remembered for 145 s")
	}
	if d.find(3, 1000) != nil {
		t.Error("found what was never there")
	}
}

func TestCoAP_M7_FullWindowOverwritesTheOldest(t *testing.T) {
	t.Parallel()
	var d dedup
	for id := range uint16(100) {
		d.add(id, message.CON, core.Time(id), 64, always)
	}
	if len(d.ring) != 64 {
		t.Fatalf("%d entries", len(d.ring))
	}
	for id := range uint16(100) {
		if got := d.find(id, 100) != nil; got != (id >= 36) {
			t.Errorf("id %d: %v", id, got)
		}
	}
}

func TestWindowGrowsByNeedOnly(t *testing.T) {
	t.Parallel()
	var d dedup
	d.add(1, message.CON, 0, 64, always)
	if len(d.ring) != 1 {
		t.Fatalf("%d entries for one request", len(d.ring))
	}
	for id := range uint16(1000) {
		d.add(id, message.CON, core.Time(int64(id)*300_000), 64, always)
	}
	if len(d.ring) > 4 {
		t.Fatalf("%d entries though all but one are dead", len(d.ring))
	}
}

func TestWindowWithoutBudgetKeepsTheNewestEntry(t *testing.T) {
	t.Parallel()
	var d dedup
	for id := range uint16(10) {
		d.add(id, message.CON, 0, 64, never)
	}
	if len(d.ring) != 1 || d.find(9, 1) == nil {
		t.Fatalf("%+v", d)
	}
	if n := d.clear(); n != 1 || d.find(9, 1) != nil {
		t.Fatalf("cleared %d", n)
	}
}

func TestCoAP_M7_LargeAnswerIsKeptOnlyIfItCannotBeMadeAgain(t *testing.T) {
	t.Parallel()
	var e seen
	e.keep(make([]byte, maxKeptAnswer), true)
	if e.state != answered || len(e.answer) != maxKeptAnswer {
		t.Fatalf("%+v", e)
	}
	e.keep(make([]byte, maxKeptAnswer+1), true)
	if e.state != repeat {
		t.Fatalf("%+v", e)
	}
	e.keep(make([]byte, maxKeptAnswer+1), false)
	if e.state != answered || len(e.answer) != maxKeptAnswer+1 {
		t.Fatalf("%+v", e)
	}
}

func BenchmarkDedup(b *testing.B) {
	var d dedup
	id := uint16(0)
	for b.Loop() {
		if d.find(id, 1) == nil {
			d.add(id, message.CON, 1, 64, always)
		}
		id++
	}
}
