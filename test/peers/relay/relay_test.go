package relay_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/peers/load"
	"github.com/entrepot/entrepot/test/peers/relay"
)

func TestEveryFrameGetsToItsTopicInOrder(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	failed := make(chan error, 1)
	go func() { failed <- relay.Serve(address) }() // it ends with the process
	for c, err := net.Dial("tcp", address); ; c, err = net.Dial("tcp", address) {
		if err == nil {
			c.Close()
			break
		}
		select {
		case err := <-failed:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	e, err := load.New(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const n = 2000
	var subs []*load.Conn
	for i := range 3 {
		s, err := e.Dial(address, "", true)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Subscribe(0, 2, fmt.Sprintf("t/%d", i/2)); err != nil {
			t.Fatal(err)
		}
		subs = append(subs, s)
	}
	for i := range 2 {
		p, err := e.Dial(address, "", true)
		if err != nil {
			t.Fatal(err)
		}
		f := p.Publisher(fmt.Sprintf("t/%d", i), 0, false, 1<<10)
		f.Limit, f.Fan = n, uint64(2-i)
	}
	if err := e.Run(time.Minute); err != nil {
		t.Fatal(err)
	}
	for i, s := range subs {
		if l := &s.Ledgers[i/2]; l.Seen() != n || l.Late+l.Doubled+l.Lost(n) != 0 || s.Count != n {
			t.Errorf("subscriber %d: %+v, %d in all", i, l, s.Count)
		}
	}
}
