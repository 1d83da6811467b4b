package line_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/adapters/adaptertest/line"
	"github.com/entrepot/entrepot/core"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Suite{
		Room:      line.New,
		Script:    [][]byte{[]byte("LOGIN a\n"), []byte("SUB x/#\n"), []byte("PUB y/1 hello\n"), []byte("ECHO more\n")},
		Oversized: [][]byte{[]byte("LOGIN a\nPUB "), []byte("LOGIN ")},
		Farewell: func(r core.Reason, said []byte) error {
			if want := "BYE " + r.String() + "\n"; string(said) != want {
				return fmt.Errorf("said %q, want %q", said, want)
			}
			return nil
		},
	})
}

func TestDatagramSuite(t *testing.T) {
	t.Parallel()
	adaptertest.RunDatagram(t, adaptertest.DatagramSuite{
		Room:   line.New,
		Script: [][]byte{[]byte("LOGIN a"), []byte("SUB x/#"), []byte("PUB x/1 hello")},
		Farewell: func(said [][]byte) error {
			if got := string(bytes.Join(said, nil)); got != "BYE shutting down\n" {
				return fmt.Errorf("said %q", got)
			}
			return nil
		},
	})
}

func expect(t *testing.T, c *adaptertest.Conn, want string) {
	t.Helper()
	if got := string(c.Recv()); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestPublishReachesTheSubscriber(t *testing.T) {
	t.Parallel()
	adaptertest.Test(t, line.New, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		sub, pub := d.Open(), d.Open()
		sub.SendString("LOGIN sub\nSUB a/+\n")
		expect(t, sub, "OK\nOK\n")
		pub.SendString("LOGIN pub\nPUB a/b one two\nPUB c none\n")
		expect(t, pub, "OK\nOK\nOK none\n")
		expect(t, sub, "MSG a/b one two\n")
	})
}

func TestTicksAreNeverEarly(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, 100 * time.Millisecond} {
		adaptertest.Test(t, line.New, adaptertest.Options{TickLag: lag}, func(t *testing.T, d *adaptertest.Driver) {
			c := d.Open()
			c.SendString("LOGIN a\n")
			c.Recv()
			c.SendString("TICK 1500\n")
			d.Advance(1499 * time.Millisecond)
			expect(t, c, "")
			d.Advance(lag)
			expect(t, c, "")
			d.Advance(time.Millisecond)
			expect(t, c, "TOCK\n")
		})
	}
}

func TestPausedInputIsKept(t *testing.T) {
	t.Parallel()
	adaptertest.Test(t, line.New, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		c := d.Open()
		c.SendString("LOGIN a\nPAUSE 1000\nECHO 1\n")
		c.SendString("ECHO 2\n")
		expect(t, c, "OK\n")
		d.Advance(time.Second)
		expect(t, c, "1\n2\n")
	})
}

func TestAStalledClientStopsTheRoom(t *testing.T) {
	t.Parallel()
	adaptertest.Test(t, line.New, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		c := d.Open()
		c.SendString("LOGIN a\n")
		expect(t, c, "OK\n")
		c.Stall()
		c.SendString("SPAM 4000\n")
		c.Unstall()
		if n := len(c.Recv()); n != 4000<<10 {
			t.Errorf("got %d bytes of %d", n, 4000<<10)
		}
	})
}

// backend answers logins when it is told to.
type backend chan core.Reason

func (b backend) Authenticate(context.Context, adapters.Credentials) (*core.Principal, core.Reason) {
	return core.Anonymous, <-b
}

func TestPreauth_L2_TheExchangeHasItsOwnDeadline(t *testing.T) {
	t.Parallel()
	adaptertest.Test(t, line.New, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		b := make(backend, 3)
		d.Host.Auth = b
		d.Advance(4 * time.Second)
		c := d.Open()
		c.SendString("LOGIN slow\nECHO later\n")
		d.Advance(4999 * time.Millisecond)
		if _, closed := c.Closed(); closed {
			t.Fatal("closed before the deadline")
		}
		b <- core.OK
		d.Settle()
		expect(t, c, "OK\nlater\n")
		d.Advance(time.Minute)
		expect(t, c, "")

		c = d.Open()
		c.SendString("LOGIN bad\n")
		b <- core.NotAuthenticated
		d.Settle()
		expect(t, c, "BYE not authenticated\n")

		c = d.Open()
		c.SendString("LOGIN never\n")
		d.Advance(5 * time.Second)
		if r, closed := c.Closed(); !closed || r != core.IdleTimeout {
			t.Errorf("closed %v, %v", closed, r)
		}
		b <- core.OK // too late
	})
}

func TestTakeoverSaysGoodbye(t *testing.T) {
	t.Parallel()
	adaptertest.Test(t, line.New, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		old, fresh := d.Open(), d.Open()
		old.SendString("LOGIN same\n")
		expect(t, old, "OK\n")
		fresh.SendString("LOGIN same\n")
		expect(t, fresh, "OK\n")
		expect(t, old, "BYE taken over\n")
		if r, closed := old.Closed(); !closed || r != core.TakenOver {
			t.Errorf("closed %v, %v", closed, r)
		}
	})
}

func TestDatagramsMayBeLostDelayedAndDoubled(t *testing.T) {
	t.Parallel()
	adaptertest.Test(t, line.New, adaptertest.Options{}, func(t *testing.T, d *adaptertest.Driver) {
		d.Network = func(p adaptertest.Packet) adaptertest.Fate {
			switch {
			case bytes.HasSuffix(p.Data, []byte("lost")):
				return adaptertest.Fate{Drop: true}
			case p.ToGateway && bytes.HasSuffix(p.Data, []byte("slow")):
				return adaptertest.Fate{Delay: time.Second}
			case bytes.HasSuffix(p.Data, []byte("twice")):
				return adaptertest.Fate{Extra: 1}
			}
			return adaptertest.Fate{}
		}
		p := d.NewPeer()
		for _, s := range []string{"ECHO lost", "ECHO slow", "ECHO twice"} {
			p.Send([]byte(s))
		}
		d.Advance(time.Second)
		if got := string(bytes.Join(p.RecvAll(), nil)); got != "twice\ntwice\nslow\n" {
			t.Errorf("got %q", got)
		}
	})
}
