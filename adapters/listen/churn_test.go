package listen_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
)

// Clients come, talk, stall, break off and take each other over on every
// transport; afterwards nothing is left of them.
func TestChurnLeavesNothing(t *testing.T) {
	t.Parallel()
	urls := transports(t)
	r := serve(t, rigOptions{urls: urls, loops: 3, limits: adapters.Limits{AcceptRate: 1_000_000, WriteStall: 200 * time.Millisecond}})
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(7, uint64(w)))
			for range 25 {
				misbehave(t, r, rnd)
			}
		})
	}
	wg.Wait()
	until(t, "every connection is gone", func() bool { all, un := r.Connections(); return all == 0 && un == 0 })
	until(t, "every gauge is 0", func() bool {
		for _, a := range r.Addrs() {
			for _, state := range []string{"auth", "unauth"} {
				if r.count("connections", "line", a.URL, state) != 0 {
					return false
				}
			}
		}
		return true
	})
	if n := r.count("panics_recovered_total", "line"); n != 0 {
		t.Errorf("%d panics: %s", n, r.log.String())
	}
	for i := range urls {
		c := r.client(t, i).login("after")
		c.send("ECHO fine\n")
		c.expect("fine")
		c.nc.Close()
	}
}

// misbehave is the life of one client. What it is answered does not matter.
func misbehave(t *testing.T, r *rig, rnd *rand.Rand) {
	c := r.client(t, rnd.IntN(len(r.Addrs())))
	say := func(s string) { io.WriteString(c.nc, s) }
	say(fmt.Sprintf("LOGIN c%d\n", rnd.IntN(20)))
	for range rnd.IntN(12) {
		switch rnd.IntN(10) {
		case 0:
			say("SUB a/#\n")
		case 1, 2:
			say("PUB a/b hello\nQPUB a/c hello\n")
		case 3:
			say(fmt.Sprintf("SPAM %d\n", rnd.IntN(3000)))
		case 4:
			say("PAUSE 5\nECHO after\n")
		case 5:
			say("TICK 1\n")
		case 6:
			say("ECHO to")
			say("rn\n")
		case 7:
			c.nc.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			io.CopyN(io.Discard, c.r, int64(rnd.IntN(100_000)))
		case 8:
			say("NOSUCH\n")
		case 9:
			say("QUIT\n")
		}
	}
	if tcp, ok := c.nc.(*net.TCPConn); ok && rnd.IntN(2) == 0 {
		tcp.SetLinger(0) // a reset instead of an end
	}
	c.nc.Close()
}
