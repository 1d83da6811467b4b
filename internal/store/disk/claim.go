package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// formatFile names the file that makes a directory a store of ours; it holds
// formatVersion. It is read before anything else is opened, so that a directory
// that is refused stays as it is.
//
// A store of an earlier format is read as it is, and has this one from then on:
// what is written to it may be more than the release before can read.
//
//	1  the first one
//	2  records of shared messages name their entries; long queues have summaries
//	3  what was given up unseen, and is to be removed, has records
const (
	formatFile    = "entrepot-store"
	formatVersion = 3
)

// Why a directory is refused.
var (
	ErrForeign = errors.New("not a store of entrepot")
	ErrNewer   = errors.New("written by a newer version of entrepot")
	ErrLocked  = errors.New("in use by another process")

	ErrIncomplete = errors.New("incomplete")
	ErrDamaged    = errors.New("damaged")
)

// claim makes dir a store if it is empty or absent, checks that it is one that
// this program can read, and locks it.
func claim(disk vfs.FS, dir string) (*pebble.Lock, error) {
	fresh, err := inspect(disk, dir)
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := makeDir(disk, dir); err != nil {
			return nil, fmt.Errorf("store %s cannot be made: %w", dir, err)
		}
	}
	lock, err := pebble.LockDirectory(dir, disk)
	if err != nil {
		if _, path := errors.AsType[*fs.PathError](err); path {
			return nil, fmt.Errorf("store %s cannot be locked: %w", dir, err)
		}
		return nil, fmt.Errorf("store %s is %w", dir, ErrLocked)
	}
	version := 0
	if !fresh {
		version, err = formatOf(disk, dir)
	}
	if err == nil && version < formatVersion {
		err = writeFormat(disk, dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store %s cannot be made: %w", dir, err), lock.Close())
	}
	return lock, nil
}

// held is a disk that keeps the lock that was taken, so that it can be given
// back whatever pebble makes of it.
type held struct {
	vfs.FS
	once sync.Once
	lock io.Closer // nil: none
	err  error
}

// Lock takes the lock.
func (h *held) Lock(name string) (io.Closer, error) {
	lock, err := h.FS.Lock(name)
	if err != nil {
		return nil, err
	}
	h.lock = lock
	return h, nil
}

// Close gives the lock back, once.
func (h *held) Close() error {
	h.once.Do(func() {
		if h.lock != nil {
			h.err = h.lock.Close()
		}
	})
	return h.err
}

// inspect looks at dir without touching it; fresh says that nothing is there.
func inspect(disk vfs.FS, dir string) (fresh bool, err error) {
	names, err := disk.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("store %s cannot be read: %w", dir, err)
	}
	other := ""
	for _, name := range names {
		switch name {
		case formatFile:
			if err := readFormat(disk, dir); err != nil {
				return false, err
			}
			return false, whole(disk, dir, names)
		case "LOCK", formatFile + ".new": // left by a start that was cut short
		default:
			other = name
		}
	}
	if other != "" {
		return false, fmt.Errorf("directory %s is %w: it holds %q, but no file %q", dir, ErrForeign, other, formatFile)
	}
	return true, nil
}

func readFormat(disk vfs.FS, dir string) error {
	_, err := formatOf(disk, dir)
	return err
}

// formatOf is the format of the store in dir.
func formatOf(disk vfs.FS, dir string) (version int, err error) {
	f, err := disk.Open(disk.PathJoin(dir, formatFile))
	if err != nil {
		return 0, fmt.Errorf("store %s cannot be read: %w", dir, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, fmt.Errorf("store %s cannot be read: %w", dir, err)
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil || v < 1:
		return 0, fmt.Errorf("directory %s is %w: its file %q holds %q", dir, ErrForeign, formatFile, text)
	case v > formatVersion:
		return 0, fmt.Errorf("store %s was %w: it has format %d, this one reads up to %d", dir, ErrNewer, v, formatVersion)
	}
	return v, nil
}

// writeFormat makes the file appear whole or not at all.
func writeFormat(disk vfs.FS, dir string) error {
	temporary := disk.PathJoin(dir, formatFile+".new")
	f, err := disk.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, formatVersion)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := disk.Rename(temporary, disk.PathJoin(dir, formatFile)); err != nil {
		return err
	}
	return syncDir(disk, dir)
}

// makeDir makes dir and what is missing above it, for this user alone, so that
// a power cut does not lose them.
func makeDir(disk vfs.FS, dir string) error {
	if _, err := disk.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := disk.PathDir(dir)
	if err := makeDir(disk, parent); err != nil {
		return err
	}
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(disk, parent)
}

func syncDir(disk vfs.FS, dir string) error {
	d, err := disk.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
