package listen_test

import "testing"

func TestLoginsAndBytesAreCounted(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i).login("a") // LOGIN a, OK
		c.send("ECHO hello\n")
		c.expect("hello")
		for name, want := range map[string]uint64{"in": uint64(len("LOGIN a\nECHO hello\n")), "out": uint64(len("OK\nhello\n"))} {
			if n := r.count("bytes_total", "line", name); n != want {
				t.Errorf("%d bytes %s, not %d", n, name, want)
			}
		}
		quiet := r.client(t, i)
		quiet.nc.Close() // without a login
		until(t, "the quiet one is counted out", func() bool {
			return r.count("connects_total", "line", "accepted", "") == 2 && r.count("connections", "line", r.Addrs()[i].URL, "unauth") == 0
		})
		if n := r.count("logins_total", "line"); n != 1 {
			t.Errorf("%d logins", n)
		}
	})
}

func TestDatagramsAreCounted(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0"}})
	a := udp(t, r.addr(0))
	a.send("LOGIN a")
	a.expect("OK")
	a.send("ECHO hello")
	a.expect("hello")
	until(t, "all are counted", func() bool {
		return r.count("datagrams_total", "line", "in") == 2 && r.count("datagrams_total", "line", "out") == 2 && r.count("logins_total", "line") == 1 &&
			r.count("bytes_total", "line", "in") == uint64(len("LOGIN aECHO hello")) && r.count("bytes_total", "line", "out") == uint64(len("OK\nhello\n"))
	})
}

func TestWhatWaitsForAPeerIsCountedUntilItIsGone(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i).login("a")
		waiting := func() uint64 { return r.count("write_waiting_bytes", "line") }
		until(t, "nothing waits", func() bool { return waiting() == 0 })
		c.send("SPAM 100000\n") // 100 MB, none of which is read
		until(t, "what the loop keeps waits", func() bool { return int64(waiting()) > 32<<10 })
		c.nc.Close()
		until(t, "nothing waits any more", func() bool { return waiting() == 0 })
	})
}
