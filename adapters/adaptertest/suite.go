package adaptertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Suite describes a stream protocol to [Run].
type Suite struct {
	Room    NewRoom
	Options Options
	// Script is what a well-behaved client sends from its first byte on, one
	// packet each, the login first; the connection stays open. Its answers
	// must not depend on how the bytes are split.
	Script [][]byte
	// Login makes the connection authenticated; nil: sends Script[0].
	Login func(c *Conn)
	// Equal compares the answers to the script sent whole and sent in bytes;
	// nil: bytes.Equal. For protocols whose answers hold random identifiers.
	Equal func(whole, bytewise []byte) bool
	// Oversized begins with whatever login it needs and announces more than
	// the limits allow; the connection must end without the rest.
	Oversized [][]byte
	// Farewell checks what an authenticated peer is told when it is evicted;
	// nil: something must be said for every reason. Return an error that says
	// what is missing.
	Farewell func(r core.Reason, said []byte) error
}

// Run checks what every stream protocol must do, whatever it speaks. Each
// subtest leaves no goroutine behind: its bubble would not end.
func Run(t *testing.T, s Suite) {
	t.Helper()
	s.complete()
	for _, rule := range []struct {
		name string
		f    func(*testing.T, Suite)
	}{
		{"L1_SilentPeerIsClosedAtTheDeadline", testSilent},
		{"L1_TruncatedLoginIsClosedAtTheDeadline", testSlowLogin},
		{"L3_GarbageIsBoundedAndEnds", testGarbage},
		{"GarbageAfterLoginIsBounded", testLateGarbage},
		{"TruncatedInputThenEndOfStream", testTruncated},
		{"OneByteAtATimeEqualsWhole", testBytewise},
		{"L7_OversizedEndsWithoutTheRest", testOversized},
		{"EvictionIsAnsweredForEveryReason", testEvict},
		{"EvictionBeforeLogin", testEvictEarly},
		{"ShutdownIsAnswered", testShutdown},
		{"SlowReaderIsBounded", testSlowReader},
		{"NothingIsLeftOfConnectionsThatEnded", testMemory},
	} {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			rule.f(t, s)
		})
	}
}

func (s *Suite) complete() {
	if s.Login == nil {
		first := s.Script[0]
		s.Login = func(c *Conn) { c.Send(first) }
	}
	if s.Equal == nil {
		s.Equal = bytes.Equal
	}
	if s.Farewell == nil {
		s.Farewell = func(_ core.Reason, said []byte) error {
			if len(said) == 0 {
				return fmt.Errorf("nothing was said")
			}
			return nil
		}
	}
}

func (s Suite) test(t *testing.T, f func(t *testing.T, d *Driver)) {
	Test(t, s.Room, s.Options, f)
}

// enter opens a connection and logs it in.
func (s Suite) enter(t *testing.T, d *Driver) *Conn {
	t.Helper()
	c := d.Open()
	s.Login(c)
	if !c.Authenticated() {
		r, closed := c.Closed()
		t.Fatalf("the login did not end in Handle.Authenticated (closed %v: %v)", closed, r)
	}
	if _, connected := c.Connected(); !connected {
		t.Error("the login did not end in Handle.Connected")
	}
	c.Recv()
	return c
}

func testSilent(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		c := d.Open()
		d.Advance(d.Host.Limits.PreauthDeadline - time.Millisecond)
		if r, closed := c.Closed(); closed {
			t.Fatalf("closed before the deadline: %v", r)
		}
		d.Advance(time.Millisecond + 100*time.Millisecond)
		if _, closed := c.Closed(); !closed {
			t.Fatal("still open after the deadline")
		}
	})
}

func testSlowLogin(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		c := d.Open()
		first := s.Script[0]
		for i := 0; i < len(first)-1; i++ {
			c.Send(first[i : i+1])
			d.Advance(d.Host.Limits.PreauthDeadline / time.Duration(len(first)))
		}
		d.Advance(d.Host.Limits.PreauthDeadline)
		if _, closed := c.Closed(); !closed && !c.Authenticated() {
			t.Fatal("a login that trickles in outlived the deadline")
		}
	})
}

func testGarbage(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			c := d.Open()
			c.SendSplit(garbage(rnd, 2048), 1+rnd.IntN(700))
			c.SendSplit(make([]byte, 2*d.Host.Limits.PreauthBytes), 16<<10)
			d.Advance(d.Host.Limits.PreauthDeadline + d.Host.Limits.PreauthExchange)
			if _, closed := c.Closed(); !closed && !c.Authenticated() {
				t.Fatal("garbage kept a connection open")
			}
		}
	})
}

func garbage(rnd *rand.Rand, n int) []byte {
	b := make([]byte, 1+rnd.IntN(n))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

func testLateGarbage(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		rnd := rand.New(rand.NewPCG(3, 4))
		bound := d.Host.Limits.MessageBytes + 1<<20
		for range 100 {
			c := s.enter(t, d)
			for range 8 {
				c.SendSplit(garbage(rnd, 512), 1+rnd.IntN(200))
			}
			if c.Unconsumed() > bound {
				t.Fatalf("%d bytes wait unconsumed", c.Unconsumed())
			}
			c.Drop()
		}
	})
}

func testTruncated(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		all := bytes.Join(s.Script, nil)
		step := max(1, len(all)/300)
		for n := 0; n < len(all); n += step {
			c := d.Open()
			c.Send(all[:n])
			c.Drop()
			if _, closed := c.Closed(); !closed {
				t.Fatalf("open after end of stream at byte %d", n)
			}
		}
	})
}

func testBytewise(t *testing.T, s Suite) {
	all := bytes.Join(s.Script, nil)
	run := func(chunk int) (said []byte) {
		s.test(t, func(t *testing.T, d *Driver) {
			c := d.Open()
			c.SendSplit(all, chunk)
			said = c.Recv()
			if r, closed := c.Closed(); closed {
				t.Fatalf("the script ended the connection: %v; said %q", r, said)
			}
			if n := c.Unconsumed(); n != 0 {
				t.Fatalf("%d bytes of the script were not consumed", n)
			}
		})
		return said
	}
	whole := run(len(all))
	for _, chunk := range []int{1, 2, 3, 7} {
		if got := run(chunk); !s.Equal(whole, got) {
			t.Errorf("in chunks of %d:\n got %q\nwant %q", chunk, got, whole)
		}
	}
}

func testOversized(t *testing.T, s Suite) {
	for i, in := range s.Oversized {
		s.test(t, func(t *testing.T, d *Driver) {
			c := d.Open()
			c.Send(in)
			zeros := make([]byte, 64<<10)
			for sent := 0; sent < 1<<20+d.Host.Limits.MessageBytes; sent += len(zeros) {
				if _, closed := c.Closed(); closed {
					return
				}
				c.Send(zeros)
			}
			if r, closed := c.Closed(); !closed {
				t.Errorf("input %d: still open, %d bytes kept (%v)", i, c.Unconsumed(), r)
			}
		})
	}
}

func testEvict(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		for _, r := range core.Reasons()[core.NotAuthenticated:] {
			c := s.enter(t, d)
			c.Evict(r)
			got, closed := c.Closed()
			if !closed {
				t.Fatalf("%v: still open", r)
			}
			if got != r {
				t.Errorf("%v: closed with reason %v", r, got)
			}
			if err := s.Farewell(r, c.Recv()); err != nil {
				t.Errorf("%v: %v", r, err)
			}
		}
	})
}

func testEvictEarly(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		c := d.Open()
		c.Evict(core.ShuttingDown)
		if _, closed := c.Closed(); !closed {
			t.Error("fresh connection: still open")
		}
		c = d.Open()
		c.Send(s.Script[0][:len(s.Script[0])-1])
		c.Evict(core.Kicked)
		if _, closed := c.Closed(); !closed {
			t.Error("within the login: still open")
		}
	})
}

func testShutdown(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		all := []*Conn{s.enter(t, d), d.Open()}
		d.Shutdown()
		for i, c := range all {
			if _, closed := c.Closed(); !closed {
				t.Errorf("connection %d: still open", i)
			}
		}
		if err := s.Farewell(core.ShuttingDown, all[0].Recv()); err != nil {
			t.Error(err)
		}
	})
}

func testSlowReader(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		c := s.enter(t, d)
		c.Stall()
		rest := bytes.Join(s.Script[1:], nil)
		bound := d.Host.Limits.WriteBuffer + 2*adapters.OutputSoft + d.Host.Limits.MessageBytes
		for range 2000 {
			c.Send(rest)
			if _, closed := c.Closed(); closed {
				return
			}
			if n := len(c.stalled); n > bound {
				t.Fatalf("%d bytes wait for a peer that does not read", n)
			}
			if c.held() {
				return
			}
		}
	})
}

// testMemory looks for handles that the room or core still hold.
func testMemory(t *testing.T, s Suite) {
	s.test(t, func(t *testing.T, d *Driver) {
		const all = 300
		collected := new(atomic.Int64)
		for range all {
			c := s.enter(t, d)
			runtime.AddCleanup(c.link, func(n *atomic.Int64) { n.Add(1) }, collected)
			c.Drop()
			d.conns = d.conns[:0]
			clear(d.conns[:cap(d.conns)])
		}
		for range 100 {
			runtime.GC()
			if collected.Load() >= all-10 {
				return
			}
		}
		t.Errorf("of %d connections that came and went, %d are still referred to", all, all-collected.Load())
	})
}
