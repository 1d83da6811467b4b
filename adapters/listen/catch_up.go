package listen

import (
	"errors"
	"os"
	"time"
)

// catchUp bounds the time in which a connection that is taken over still
// processes what its peer had sent before.
const catchUp = time.Second

// errNothing says that there is nothing to read at this moment.
var errNothing = errors.New("nothing to read")

// ask wants caughtUp to be called when all that the peer has sent until now was
// read and handed on. The loop calls it: the reader, which sleeps in the kernel,
// is woken by a deadline that has passed.
func (a *arrival) ask() {
	a.asked.Store(true)
	a.Conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a deadline on an open connection
}

// readRest reads on without waiting, and answers when nothing is left; then it
// waits as ever.
func (a *arrival) readRest(b []byte) (n int, err error) {
	for {
		a.Conn.SetReadDeadline(time.Time{}) //nolint:errcheck // a deadline on an open connection
		if n, err = readNow(a.Conn, b); err != errNothing {
			a.ask() // for what comes after
			return n, err
		}
		a.asked.Store(false)
		a.caughtUp()
		if n, err = a.Conn.Read(b); !a.asked.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}
