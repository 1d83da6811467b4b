package disk

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Look tells what would keep Open from using dir, and changes nothing: [ErrForeign], [ErrNewer], [ErrLocked], or that it
// cannot be read. A directory that is not there is no mistake.
func Look(dir string) error {
	fresh, err := inspect(vfs.Default, dir)
	if err != nil || fresh {
		return err
	}
	lock, err := pebble.LockDirectory(dir, vfs.Default)
	if err != nil {
		return fmt.Errorf("store %s is %w", dir, ErrLocked)
	}
	return errors.Join(lock.Close())
}
