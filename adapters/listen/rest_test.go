package listen_test

import (
	"fmt"
	"testing"
)

// What a connection has until its login, and while something waits for its
// peer, it has no longer when it is idle.
func TestAnIdleConnectionHasNoDeadline(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0", "lines://127.0.0.1:0", "ws://127.0.0.1:0"}, loops: 2})
	for i := range r.Addrs() {
		c := r.client(t, i)
		until(t, "it has a deadline", func() bool { return r.Rests() == 1 })
		c.login(fmt.Sprint(i))
		until(t, "it has none any more", func() bool { return r.Rests() == 0 })
		c.send("ECHO on\n")
		c.expect("on")
		until(t, "nor after it was served", func() bool { return r.Rests() == 0 })
	}
}
