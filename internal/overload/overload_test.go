package overload

import (
	"bytes"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
)

// fake is a meter that tells what it was told.
type fake struct{ Reading }

func (f *fake) Read() Reading { return f.Reading }

// normal is a reading without any shortage.
func normal() Reading {
	return Reading{Memory: 10, MemoryLimit: 1000, DiskFree: 50 << 30, DiskTotal: 100 << 30, Descriptors: 10, MaxOpen: 1024}
}

// world is a monitor in virtual time.
type world struct {
	*Monitor
	t     *testing.T
	meter *fake
	log   bytes.Buffer
}

func simulate(t *testing.T, reserve int64, f func(w *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, err := core.New(core.Options{Store: memory.New()})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		w := &world{t: t, meter: &fake{normal()}}
		w.Monitor = New(Options{Meter: w.meter, Router: r, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Reserve: reserve, Steps: DefaultSteps()})
		f(w)
	})
}

// pass lets time pass, a step every 100 ms.
func (w *world) pass(d time.Duration) {
	for ; d > 0; d -= Every {
		time.Sleep(Every)
		w.Step()
	}
}

func (w *world) want(what string, want core.Pressure) {
	w.t.Helper()
	if got := w.o.Router.Pressure(); got != want {
		w.t.Fatalf("%s: %+v, want %+v", what, got, want)
	}
}

func level(l core.Level) core.Pressure { return core.Pressure{Level: l} }

func TestSecurity_O2_O3_O4_TheLevelsOfMemory(t *testing.T) {
	simulate(t, 0, func(w *world) {
		for _, c := range []struct {
			memory int64
			want   core.Level
		}{{699, 0}, {700, 1}, {799, 1}, {800, 2}, {899, 2}, {900, 3}, {5000, 3}} {
			w.meter.Memory = c.memory
			w.pass(Every)
			w.want("memory", level(c.want))
		}
		w.meter.MemoryLimit = Unknown
		w.pass(6 * time.Second)
		w.want("no limit", level(core.LevelNormal))
	})
}

func TestSecurity_O1_ALevelIsLeftFivePointsBelowAndAfterFiveSeconds(t *testing.T) {
	simulate(t, 0, func(w *world) {
		w.meter.Memory = 800
		w.pass(Every)
		w.meter.Memory = 751
		w.pass(time.Minute)
		w.want("less than five points below", level(core.LevelBrake))
		w.meter.Memory = 749
		w.pass(4900 * time.Millisecond)
		w.want("not for five seconds", level(core.LevelBrake))
		w.meter.Memory = 760
		w.pass(Every)
		w.meter.Memory = 749
		w.pass(4900 * time.Millisecond)
		w.want("interrupted", level(core.LevelBrake))
		w.pass(300 * time.Millisecond)
		w.want("left", level(core.LevelShed))
		w.meter.Memory = 100
		w.pass(5200 * time.Millisecond)
		w.want("all is well", level(core.LevelNormal))
	})
}

func TestSecurity_O2_O3_O4_TheLevelsOfCPU(t *testing.T) {
	simulate(t, 0, func(w *world) {
		w.meter.Delay = 5 * time.Second
		w.pass(2 * Every)
		w.want("one pause of the machine", level(core.LevelNormal))
		w.meter.Delay = 0
		w.pass(Every)
		for _, c := range []struct {
			delay time.Duration
			want  core.Level
		}{{249 * time.Millisecond, 0}, {250 * time.Millisecond, 1}, {time.Second, 2}, {2 * time.Second, 3}} {
			w.meter.Delay = c.delay
			w.pass(3 * Every)
			w.want(c.delay.String(), level(c.want))
		}
	})
}

func TestSecurity_O2_O4_OtherStepsHoldFromTheNextReadingOn(t *testing.T) {
	simulate(t, 0, func(w *world) {
		w.meter.Delay, w.meter.Memory = 5*time.Second, 600
		w.pass(3 * Every)
		w.want("the defaults", level(core.LevelRefuse))
		w.Change(Steps{Memory: []float64{50, 99, 100}}, 0)
		w.pass(6 * time.Second)
		w.want("no step of the CPU, a lower one of memory", level(core.LevelShed))
		w.Change(Steps{CPU: []time.Duration{10 * time.Millisecond, time.Minute, time.Minute}}, 0)
		w.meter.Delay = 20 * time.Millisecond
		w.pass(6 * time.Second)
		w.want("no step of memory, a low one of the CPU", level(core.LevelShed))
		w.meter.Delay = 0
		w.pass(6 * time.Second)
		w.want("a low step is left too", level(core.LevelNormal))
		w.meter.DiskFree = 5 << 30
		w.pass(Every)
		w.want("above the reserve", core.Pressure{})
		w.Change(DefaultSteps(), 6<<30)
		w.pass(Every)
		w.want("another reserve", core.Pressure{DiskFull: true})
	})
}

func TestSecurity_O4_Descriptors(t *testing.T) {
	simulate(t, 0, func(w *world) {
		w.meter.Descriptors = 1024 - 257
		w.pass(Every)
		w.want("257 left", level(core.LevelNormal))
		w.meter.Descriptors++
		w.pass(Every)
		w.want("256 left", level(core.LevelRefuse))
		w.meter.Descriptors = Unknown
		w.pass(6 * time.Second)
		w.want("unknown", level(core.LevelNormal))
	})
}

func TestSecurity_O6_TheReserveOfTheDisk(t *testing.T) {
	for _, c := range []struct {
		name                  string
		total, reserve, bound int64
	}{{"5 %", 10 << 30, 0, (10 << 30) / 20}, {"64 MiB", 256 << 20, 0, 64 << 20}, {"the half", 100 << 20, 0, 50 << 20}, {"1 GiB", 100 << 30, 0, 1 << 30}, {"store.reserve", 100 << 30, 1000, 1000}} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, c.reserve, func(w *world) {
				w.meter.DiskTotal, w.meter.DiskFree = c.total, c.bound+1
				w.pass(Every)
				w.want("above", core.Pressure{})
				w.meter.DiskFree = c.bound
				w.pass(Every)
				w.want("at it", core.Pressure{DiskFull: true})
				w.meter.DiskFree = 2 * c.bound
				w.pass(6 * time.Second)
				w.want("it leaves by itself", core.Pressure{})
			})
		})
	}
}

func TestSecurity_O8_OneLineForEachChangeAndTheStateOfEachResource(t *testing.T) {
	simulate(t, 0, func(w *world) {
		w.meter.Memory, w.meter.DiskFree = 950, 1
		w.pass(time.Second)
		if n := strings.Count(w.log.String(), "overload.changed"); n != 2 {
			t.Errorf("%d lines:\n%s", n, w.log.String())
		}
		for _, want := range []string{"level=refuse was=normal resource=memory", "level=\"disk full\" was=normal resource=disk free=1"} {
			if !strings.Contains(w.log.String(), want) {
				t.Errorf("no %q in\n%s", want, w.log.String())
			}
		}
		s := w.Status()
		if s.Levels[Memory] != core.LevelRefuse || s.Levels[Disk] != core.LevelShed || s.Levels[CPU] != 0 || s.Levels[Descriptors] != 0 {
			t.Errorf("%v", s.Levels)
		}
	})
}

func TestTheProcessIsMeasured(t *testing.T) {
	before := debug.SetMemoryLimit(1 << 40)
	defer debug.SetMemoryLimit(before)
	r := NewProcess(t.TempDir()).Read()
	if r.Memory < 1<<20 || r.MemoryLimit != 1<<40 || r.Delay != 0 {
		t.Errorf("%+v", r)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	r = NewProcess("").Read()
	if r.MemoryLimit != Unknown || r.DiskFree != Unknown {
		t.Errorf("%+v", r)
	}
}
