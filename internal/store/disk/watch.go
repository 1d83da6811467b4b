package disk

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// watch is a disk that tells of everything that could not be written before
// pebble sees it. pebble cannot survive all of it: where it closes one log and
// begins the next, it ends the process with a broken lock; a table that cannot
// be written it tries again at once and for ever, while writes wait. So the
// store learns of it at once and gives the files up; and an error that meets a
// write under way is not shown to pebble at all: its goroutine is parked, and
// pebble left behind. So is one that meets the list of tables: pebble ends the
// process then, with a lock that whoever reads needs.
//
// The same holds for an Open that has replayed its log: when it fails after that,
// pebble takes away the tables of what it has begun in the background.
//
// Whoever gave the files up can shut the disk: a pebble that is left behind
// changes nothing any more, and its goroutines wait for ever.
type watch struct {
	vfs.FS
	log    func(vfs.File) vfs.File // how logs are written; nil: as any file
	aside  string                  // where backups are gathered: what fails there is theirs alone
	synced func(took time.Duration)
	broken func(op string, err error)
	safe   func() bool // no write is on its way into pebble, nor will be one
	parked chan struct{}
	once   sync.Once

	replayed atomic.Bool // until then Open may return the error
	opened   atomic.Bool // until then every error that follows is kept from pebble

	gate sync.RWMutex // held for reading by what changes the disk
	gone bool         // guarded by gate
}

// pass begins an operation that changes the disk; the result ends it.
func (w *watch) pass() func() {
	w.gate.RLock()
	if w.gone {
		w.gate.RUnlock()
		w.park()
	}
	return w.gate.RUnlock
}

// shut waits for the changes under way; there are none afterwards.
func (w *watch) shut() {
	w.gate.Lock()
	defer w.gate.Unlock()
	w.gone = true
}

// park keeps a goroutine that may neither go on nor return. Nobody waits for
// it, since the store has failed.
func (w *watch) park() {
	w.once.Do(func() { close(w.parked) })
	select {}
}

// change does what changes a file.
func (w *watch) change(op, name string, do func() error) error {
	if strings.HasPrefix(name, w.aside) {
		return do()
	}
	if followsReplay(path.Base(name)) {
		w.replayed.Store(true)
	}
	done := w.pass()
	err := do()
	done()
	return w.told(op, path.Base(name), err)
}

// followsReplay tells what is made after the replay, and nothing of it before.
// Where the log leaves no table, the list of tables is the first.
func followsReplay(name string) bool {
	ext := path.Ext(name)
	return ext == ".sst" || ext == ".log" || strings.HasPrefix(name, "MANIFEST-")
}

// listsTables tells of the list of tables and of the name of the one that counts.
func listsTables(name string) bool {
	return strings.HasPrefix(name, "MANIFEST-") || strings.HasPrefix(name, "marker.")
}

func (w *watch) told(op, name string, err error) error {
	if err == nil || !w.replayed.Load() || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w.broken(op, err)
	if !w.opened.Load() || !w.safe() || listsTables(name) {
		w.park()
	}
	return err
}

// Create makes a file.
func (w *watch) Create(name string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	return w.file("create", name, func() (vfs.File, error) { return w.FS.Create(name, c) })
}

// ReuseForWrite makes a new log of an old one.
func (w *watch) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return w.file("create", name, func() (vfs.File, error) { return w.FS.ReuseForWrite(old, name, c) })
}

// OpenReadWrite opens a file that is changed.
func (w *watch) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return w.file("open", name, func() (vfs.File, error) { return w.FS.OpenReadWrite(name, c, o...) })
}

// OpenDir opens a directory, to sync it. pebble ends the process when it cannot.
func (w *watch) OpenDir(name string) (vfs.File, error) {
	f, err := w.file("open", name, func() (vfs.File, error) { return w.FS.OpenDir(name) })
	if err != nil || strings.HasPrefix(name, w.aside) {
		return f, err
	}
	return &folder{f, w}, nil
}

// Link makes another name of a file.
func (w *watch) Link(old, name string) error {
	return w.change("create", name, func() error { return w.FS.Link(old, name) })
}

// Rename gives a file another name.
func (w *watch) Rename(old, name string) error {
	return w.change("rename", name, func() error { return w.FS.Rename(old, name) })
}

// Remove removes a file; pebble survives that it cannot.
func (w *watch) Remove(name string) error {
	defer w.pass()()
	return w.FS.Remove(name)
}

// Unwrap is how pebble finds the disk behind it.
func (w *watch) Unwrap() vfs.FS { return w.FS }

func (w *watch) file(op, name string, open func() (vfs.File, error)) (f vfs.File, err error) {
	if err = w.change(op, name, func() error { f, err = open(); return err }); err != nil {
		return nil, err
	}
	if op == "create" && path.Ext(name) == ".log" && !strings.HasPrefix(name, w.aside) {
		if w.log != nil {
			f = w.log(f)
		}
		f = &timed{withRoom(f), w.synced}
	}
	return &watched{f, w, name}, nil
}

// watched is a file whose errors are told.
type watched struct {
	vfs.File
	w    *watch
	name string
}

func (f *watched) Write(p []byte) (n int, err error) {
	err = f.w.change("write", f.name, func() (err error) {
		n, err = f.File.Write(p)
		return err
	})
	return n, err
}

func (f *watched) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.w.change("write", f.name, func() (err error) {
		n, err = f.File.WriteAt(p, at)
		return err
	})
	return n, err
}

func (f *watched) Sync() error { return f.w.change("sync", f.name, f.File.Sync) }

// timed is a log whose syncs are timed.
type timed struct {
	vfs.File
	took func(time.Duration)
}

func (f *timed) Sync() error { return f.time(f.File.Sync) }

func (f *timed) SyncData() error { return f.time(f.File.SyncData) }

func (f *timed) time(sync func() error) error {
	began := time.Now()
	err := sync()
	if err == nil {
		f.took(time.Since(began))
	}
	return err
}

// folder is a directory whose failures pebble never sees.
type folder struct {
	vfs.File
	w *watch
}

func (f *folder) Sync() error {
	err := f.File.Sync()
	if err != nil && f.w.replayed.Load() {
		f.w.park()
	}
	return err
}

func (f *watched) SyncData() error { return f.w.change("sync", f.name, f.File.SyncData) }

func (f *watched) SyncTo(length int64) (full bool, err error) {
	err = f.w.change("sync", f.name, func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

func (f *watched) Preallocate(at, length int64) error { // what cannot be reserved is written without
	defer f.w.pass()()
	return f.File.Preallocate(at, length)
}
