package listen_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

func TestPreauth_L1_DeadlineOfSilence(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{limits: adapters.Limits{PreauthDeadline: time.Second}}, func(t *testing.T, r *rig, i int) {
		c, good := r.client(t, i), r.client(t, i).login("a")
		began := time.Now()
		if _, err := c.r.ReadByte(); err == nil {
			t.Fatal("was answered")
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("closed after %v", d)
		}
		good.send("ECHO on\n")
		good.expect("on")
		until(t, "counted", func() bool { return r.count("preauth_closed_total", "line", "deadline") == 1 })
		if !strings.Contains(r.log.String(), "preauth.closed") {
			t.Error("not logged")
		}
	})
}

// never is an authenticator that does not answer before it is closed.
type never chan struct{}

func (n never) Authenticate(context.Context, adapters.Credentials) (*core.Principal, core.Reason) {
	<-n
	return core.Anonymous, core.OK
}

func TestPreauth_L2_Exchange(t *testing.T) {
	t.Parallel()
	auth := make(never)
	defer close(auth)
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}, auth: auth,
		limits: adapters.Limits{PreauthDeadline: time.Hour, PreauthExchange: 100 * time.Millisecond}})
	c := r.client(t, 0)
	c.send("LOGIN a\n")
	c.eof()
	until(t, "counted", func() bool { return r.count("preauth_closed_total", "line", "deadline") == 1 })
}

// A1: silent sockets of one address do not keep others out.
func TestAttack_A1_IdleSockets(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}, limits: adapters.Limits{Trusted: []netip.Prefix{}}})
	attacker := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	for range 500 {
		nc, err := attacker.Dial("tcp", r.addr(0))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
	}
	began := time.Now()
	r.client(t, 0).login("honest")
	if d := time.Since(began); d > time.Second {
		t.Errorf("a login took %v", d)
	}
	until(t, "the others are refused", func() bool { return r.count("preauth_closed_total", "line", "places") == 500-64 })
}

func TestPreauth_L3_Bytes(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{limits: adapters.Limits{PreauthBytes: 1000}}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i)
		io.WriteString(c.nc, "LOGIN "+strings.Repeat("x", 2000))
		if _, err := c.r.ReadByte(); err == nil {
			t.Fatal("was answered")
		}
		until(t, "counted", func() bool { return r.count("preauth_closed_total", "line", "bytes") == 1 })
	})
}

func TestPreauth_L4_Places(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}, limits: adapters.Limits{PreauthConnections: 2}})
	first := r.client(t, 0).login("a") // gives its place back
	waiting := []*client{r.client(t, 0), r.client(t, 0)}
	refused := r.client(t, 0)
	if _, err := refused.r.ReadByte(); err == nil {
		t.Fatal("the third without login was served")
	}
	first.send("ECHO on\n")
	first.expect("on")
	waiting[0].login("b")
	r.client(t, 0).login("c")
	if n := r.count("preauth_closed_total", "line", "places"); n != 1 {
		t.Errorf("preauth_closed_total{places} %d", n)
	}
	if n := r.count("limit_refused_total", "line", "preauth_connections"); n != 1 {
		t.Errorf("limit_refused_total %d", n)
	}
}

func TestLimit_L5_Connections(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{limits: adapters.Limits{Connections: 1}}, func(t *testing.T, r *rig, i int) {
		first := r.client(t, i).login("a")
		nc, err := net.Dial(r.Addrs()[i].Network(), r.addr(i))
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(newClient(t, nc).r); len(b) > 0 {
			t.Fatalf("the second was told %q", b)
		}
		first.nc.Close()
		until(t, "the place is free", func() bool { all, _ := r.Connections(); return all == 0 })
		r.client(t, i).login("b")
	})
}

func TestLimit_L6_AcceptRate(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"line://127.0.0.1:0", "lines://127.0.0.1:0"} {
		r := serve(t, rigOptions{urls: []string{u}, limits: adapters.Limits{AcceptRate: 10}})
		began := time.Now()
		for n := range 22 { // the burst is 20, then one each 100 ms
			r.client(t, 0).login(fmt.Sprint(n))
		}
		if d := time.Since(began); d < 150*time.Millisecond {
			t.Errorf("%s: 22 connections in %v", u, d)
		}
	}
}

func TestLimit_L16_SlowConsumerIsEvicted(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{limits: adapters.Limits{WriteStall: 300 * time.Millisecond}}, func(t *testing.T, r *rig, i int) {
		c, good := r.client(t, i).login("slow"), r.client(t, i).login("good")
		c.send("SPAM 100000\n") // 100 MB, none of which is read
		good.send("ECHO on\n")
		good.expect("on")
		until(t, "the slow one is ended", func() bool { return r.count("disconnects_total", "line", "slow consumer") == 1 })
	})
}
