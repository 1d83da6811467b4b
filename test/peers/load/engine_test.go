package load

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// faulty is a broker for one publisher and one subscriber that loses, doubles and reorders as told.
type faulty struct {
	t    *testing.T
	mu   sync.Mutex
	sub  net.Conn
	held []byte
	seq  int
	// What becomes of message n: "lose", "double", "hold" for after the next one.
	fate map[int]string
}

func (f *faulty) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go f.client(c)
	}
}

func (f *faulty) client(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		p, err := packet(r)
		if err != nil {
			return
		}
		f.mu.Lock()
		switch p[0] >> 4 {
		case 1:
			_, err = c.Write([]byte{0x20, 2, 0, 0})
		case 8:
			f.sub = c
			_, err = c.Write([]byte{0x90, 3, 0, 1, 0})
		case publish:
			err = f.forward(p)
		}
		f.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func packet(r *bufio.Reader) ([]byte, error) {
	var b []byte
	for {
		x, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		b = append(b, x)
		if header, rest := head(b); header > 0 {
			b = append(b, make([]byte, rest)...)
			_, err := io.ReadFull(r, b[header:])
			return b, err
		}
	}
}

func (f *faulty) forward(p []byte) error {
	var out []byte
	switch f.fate[f.seq] {
	case "lose":
	case "double":
		out = append(append(out, p...), p...)
	case "hold":
		f.held = p
	default:
		out = append(append(out, p...), f.held...)
		f.held = nil
	}
	f.seq++
	_, err := f.sub.Write(out)
	return err
}

// through sends n messages through a broker with faults, waits until so many arrive, and returns the account.
func through(t *testing.T, n uint64, size int, fate map[int]string, arrive uint64) Account {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go (&faulty{t: t, fate: fate}).serve(l)
	e, err := New(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	sub, err := e.Dial(l.Addr().String(), "sub", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Subscribe(0, 1, "t"); err != nil {
		t.Fatal(err)
	}
	pub, err := e.Dial(l.Addr().String(), "pub", true)
	if err != nil {
		t.Fatal(err)
	}
	f := pub.Publisher("t", 0, false, size)
	f.Limit, f.Window = n, n // what is lost gives no credit back
	e.running = true
	pub.touch()
	e.settle()
	e.running = false
	if err := e.Until(func() bool { return sub.Count >= arrive }, patience); err != nil {
		t.Fatal(err)
	}
	s := &sub.Ledgers[0]
	return Account{Sent: f.Sent, Expected: n, Received: sub.Count, Lost: s.Lost(f.Sent), Doubled: s.Doubled, Late: s.Late}
}

func TestTheEngineFindsWhatABrokerDoesWrong(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		fate string
		want Account
	}{
		{"", Account{100, 100, 100, 0, 0, 0}},
		{"10=lose 50=lose 99=lose", Account{100, 100, 97, 3, 0, 0}},
		{"0=double 70=double", Account{100, 100, 102, 0, 2, 0}},
		{"5=hold 20=hold 21=lose", Account{100, 100, 99, 1, 0, 2}},
	} {
		fate := map[int]string{}
		for _, word := range strings.Fields(x.fate) {
			var n int
			var what string
			if _, err := fmt.Sscanf(word, "%d=%s", &n, &what); err != nil {
				t.Fatal(err)
			}
			fate[n] = what
		}
		if got := through(t, 100, 64, fate, x.want.Received); got != x.want {
			t.Errorf("%q: %+v, want %+v", x.fate, got, x.want)
		}
	}
}

// Frames beyond the scratch buffer and beyond what a socket takes at once arrive whole.
func TestLargeMessagesAreTornAndJoined(t *testing.T) {
	t.Parallel()
	if got := through(t, 300, 16<<10, nil, 300); got != (Account{300, 300, 300, 0, 0, 0}) {
		t.Errorf("%+v", got)
	}
}

func TestAConnectionThatEndsIsAnError(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close()
		}
	}()
	e, err := New(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Dial(l.Addr().String(), "x", true); err == nil {
		t.Error("the broker closed without a CONNACK")
	}
}

func TestTheWindowCountsWhatHasComeToAll(t *testing.T) {
	t.Parallel()
	e := &Engine{began: time.Now()}
	c := &Conn{e: e, fd: -1}
	f := c.Publisher("t", 0, false, MinPayload)
	f.Window = 10
	if f.room() != 10 {
		t.Error(f.room())
	}
	f.Sent, f.Back, f.Fan = 10, 9, 3
	if f.room() != 3 {
		t.Errorf("three of ten have come to all three: room for %d", f.room())
	}
}
