package disk

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// watch is a disk that tells of errors of the log before pebble sees them.
// pebble cannot survive all of them: where it closes one log and begins the
// next, it ends the process with a broken lock. So the store learns of a log
// that cannot be written at once, and refuses the next write before pebble
// needs another log; and if that cannot be made, it ends in an orderly way.
type watch struct {
	vfs.FS
	broken func(error) // a log cannot be written
	fatal  func(error) // a log cannot be made; does not return
	opened atomic.Bool // until then Open returns the error
}

// Create makes a file, a log among others.
func (w *watch) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.Create(name, c)
	return w.log(name, f, err)
}

// ReuseForWrite makes a new log of an old one.
func (w *watch) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.ReuseForWrite(old, name, c)
	return w.log(name, f, err)
}

// Unwrap is how pebble finds the disk behind it.
func (w *watch) Unwrap() vfs.FS { return w.FS }

func (w *watch) log(name string, f vfs.File, err error) (vfs.File, error) {
	if !strings.HasSuffix(name, ".log") {
		return f, err
	}
	if err != nil && w.opened.Load() {
		w.fatal(fmt.Errorf("the log cannot be made: %w", err))
	}
	if err != nil {
		return nil, err
	}
	return &logFile{f, w.broken}, nil
}

// logFile is a log whose errors are told.
type logFile struct {
	vfs.File
	broken func(error)
}

func (f *logFile) told(err error) error {
	if err != nil {
		f.broken(err)
	}
	return err
}

func (f *logFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.told(err)
}

func (f *logFile) Sync() error     { return f.told(f.File.Sync()) }
func (f *logFile) SyncData() error { return f.told(f.File.SyncData()) }

func (f *logFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.told(err)
}
