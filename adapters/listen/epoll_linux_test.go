package listen

import (
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Before a loop waits, what its pass has woken runs, also where there is no other processor for it. The runtime may choose
// the loop first now and then.
func TestWhatAPassWokeGoesBeforeTheWait(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, hot := range []bool{false, true} {
		l := &loop{server: &Server{}}
		w, err := newWaiter(l)
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		w.wake() // there always is something, so a wait takes no time
		const tries = 100
		first := 0
		for range tries {
			var ran atomic.Bool
			done := make(chan struct{})
			go func() {
				ran.Store(true)
				close(done)
			}()
			l.yield = true
			w.hot = hot
			if w.wait(-1); l.yield {
				t.Fatal("the loop has not yielded")
			}
			if ran.Load() {
				first++
			}
			if w.ready != 1 || w.events[0].Fd != atWake || w.events[0].Events != unix.EPOLLIN {
				t.Fatal(w.ready, w.events[0])
			}
			<-done
		}
		if first < tries/2 {
			t.Errorf("hot %t: it ran before %d of %d waits", hot, first, tries)
		}
	}
}
