//go:build !unix

package access

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// lock waits until no other process edits the file of users: the one that could make the file beside it does.
func lock(path string) (unlock func(), err error) {
	const wait = 10 * time.Second
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return func() { _ = f.Close(); _ = os.Remove(f.Name()) }, nil
		}
		if !errors.Is(err, fs.ErrExist) || time.Now().After(end) {
			return nil, err
		}
	}
}
