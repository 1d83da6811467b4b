//go:build !linux

package listen

import (
	"net"
	"time"

	"github.com/entrepot/entrepot/adapters"
)

// waiter is where a loop sleeps: a channel and a timer. All sockets have
// goroutines of their own.
type waiter struct{ kick chan struct{} }

func newWaiter(*loop) (waiter, error) { return waiter{make(chan struct{}, 1)}, nil }

// wake may be called from any goroutine.
func (w waiter) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// brief is 0: every wait may last.
func (waiter) brief() int { return 0 }

// wait sleeps at most timeout milliseconds; -1: without end.
func (w waiter) wait(timeout int) {
	switch {
	case timeout == 0:
		select {
		case <-w.kick:
		default:
		}
	case timeout < 0:
		<-w.kick
	default:
		t := time.NewTimer(time.Duration(timeout) * time.Millisecond)
		defer t.Stop()
		select {
		case <-w.kick:
		case <-t.C:
		}
	}
}

func (waiter) dispatch() {}
func (waiter) close()    {}

// acceptor is the raw way of accepting, which only Linux has.
type acceptor struct{}

func (*acceptor) close() {}

func (*acceptor) handBack() (net.Listener, error) { return nil, net.ErrClosed }

func (*listener) serveRaw() bool { return false }

func (*arrival) adopt(adapters.Info) bool { return false }
