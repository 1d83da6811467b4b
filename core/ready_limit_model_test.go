package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/entrepot/entrepot/core"
	"pgregory.net/rapid"
)

// readyModel is what a queue with a length is to a reader: a list, of which some
// are held.
type readyModel struct {
	limits core.QueueLimits
	items  []readyItem
	dead   int
}

type readyItem struct {
	payload string
	held    *core.Delivery
}

func (m *readyModel) waiting() (list []int, bytes int64) {
	for i, x := range m.items {
		if x.held == nil {
			list = append(list, i)
			bytes += int64(len("$queue/q") + len(x.payload) + 96)
		}
	}
	return list, bytes
}

func (m *readyModel) shorten() {
	for {
		list, bytes := m.waiting()
		if !(m.limits.Messages > 0 && len(list) > m.limits.Messages || m.limits.Bytes > 0 && len(list) > 1 && bytes > m.limits.Bytes) {
			return
		}
		m.items = slices.Delete(m.items, list[0], list[0]+1)
		m.dead++
	}
}

func (m *readyModel) holding() (list []int) {
	for i, x := range m.items {
		if x.held != nil {
			list = append(list, i)
		}
	}
	return list
}

// Whatever is published, taken, settled and given back, also over crashes, and
// wherever it waits: what waits is the newest that the length lets.
func TestTheLengthIsWhatAListWouldHave(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Uint32(), 1, 120).Draw(rt, "steps")
		limits := rapid.SampledFrom([]core.QueueLimits{{Messages: 1}, {Messages: 5}, {Bytes: 700}, {Messages: 4, Bytes: 600}}).Draw(rt, "limits")
		room := rapid.SampledFrom([]string{"", "room"}).Draw(rt, "room")
		var failed string
		synctest.Test(t, func(t *testing.T) { failed = runReadyModel(t, steps, limits, room) })
		if failed != "" {
			rt.Fatal(failed)
		}
	})
}

func runReadyModel(t *testing.T, steps []uint32, limits core.QueueLimits, room string) string {
	limits.Overflow = core.DropOldest
	options := core.SmallPages(core.Options{}, 2)
	w := &world{t: t, store: newMapStore()}
	w.open(options)
	defer func() {
		w.end()
		w.router.Close()
	}()
	buried := 0
	serve := func() *conn {
		w.router.OnDead("room", func(*core.Turn, core.Dead) { buried++ })
		return w.attach(core.Client{})
	}
	a, m := serve(), &readyModel{limits: limits}
	a.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, DeadRoom: room, Limits: limits})
	for n, bits := range steps {
		step, pick := "", int(bits>>8)
		switch held := m.holding(); bits % 8 {
		case 0, 1, 2:
			step = "publish"
			x := readyItem{payload: fmt.Sprint(n, strings.Repeat(".", pick%800))}
			a.pub("$queue/q", x.payload, 1)
			m.items = append(m.items, x)
		case 3, 4:
			step = "get"
			d, _, ok, _ := a.get("q", false)
			list, _ := m.waiting()
			if ok != (len(list) > 0) || ok && string(d.Message.Payload) != m.items[list[0]].payload {
				return fmt.Sprintf("%d: got %t %v, want %v", n, ok, d.Message, list)
			}
			if ok {
				m.items[list[0]].held = &d
			}
		case 5:
			if step = "accept"; len(held) > 0 {
				i := held[pick%len(held)]
				a.settle(core.Accepted, *m.items[i].held)
				m.items = slices.Delete(m.items, i, i+1)
			}
		case 6:
			if step = "release"; len(held) > 0 {
				i := held[pick%len(held)]
				a.settle(core.Released, *m.items[i].held)
				m.items[i].held = nil
			}
		case 7:
			switch w.end(); pick % 3 {
			case 0:
				step = "crash"
				w.crash(options)
				a = serve()
			case 1:
				step = "leave"
				a.Detach(w.turn, core.ConnectionLost)
				w.end()
				a = serve()
			default:
				continue
			}
			for i := range m.items {
				m.items[i].held = nil
			}
		}
		m.shorten()
		w.end()
		list, bytes := m.waiting()
		info, reason := a.Inspect("q")
		if reason != core.OK || info.Waiting != len(list) || info.InFlight != len(m.holding()) {
			return fmt.Sprintf("%d %s: %v %+v, want %d waiting", n, step, reason, info, len(list))
		}
		if info.InFlight == 0 && info.Bytes != bytes {
			return fmt.Sprintf("%d %s: %d bytes, want %d", n, step, info.Bytes, bytes)
		}
		if room != "" && buried != m.dead {
			return fmt.Sprintf("%d %s: %d dead letters, want %d", n, step, buried, m.dead)
		}
	}
	for _, i := range m.holding() {
		a.settle(core.Accepted, *m.items[i].held)
	}
	list, _ := m.waiting()
	var want []string
	for _, i := range list {
		want = append(want, m.items[i].payload)
	}
	if got := a.contents("q"); got != strings.Join(want, " ") {
		return fmt.Sprintf("left %q, want %q", got, want)
	}
	w.end()
	if n := w.store.count('q'); n != 0 {
		return fmt.Sprintf("%d records left", n)
	}
	return ""
}
