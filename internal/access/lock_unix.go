//go:build unix

package access

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long somebody else may edit the file.
const patience = 30 * time.Second

// lock waits until no other process edits the file of users. The lock is on a file beside it, since the file itself is
// replaced, and stays there: whoever removed it could let two in. The system gives it back when the process dies.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if users, err := os.Stat(path); err == nil {
		keepOwner(f, users)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EWOULDBLOCK):
			_ = f.Close()
			return nil, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		case time.Now().After(end):
			_ = f.Close()
			return nil, fmt.Errorf("%s is being edited by another process, which holds %s", path, f.Name())
		}
	}
}
