package disk

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/entrepot/entrepot/core"
)

// checkpointDir is where a backup is gathered, inside the store's directory, so that tables are linked and not copied.
const checkpointDir = "backup.tmp"

// Backup writes a complete store as a tar to w, as it was at one moment of the call: everything that was synced before it is
// in it. Writes go on meanwhile. The file that makes it a store comes last: what was cut short is none. There is one backup
// at a time; another one fails with ErrBusy.
func (s *Store) Backup(w io.Writer) (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if !s.backup.TryLock() {
		return ErrBusy
	}
	defer s.backup.Unlock()
	dir := s.fs.PathJoin(s.dir, checkpointDir)
	defer func() { err = errors.Join(err, s.fs.RemoveAll(dir)) }()
	if err := s.checkpoint(dir); err != nil {
		return fmt.Errorf("store %s: backup: %w", s.dir, err)
	}
	out := tar.NewWriter(w)
	names, err := s.fs.List(dir)
	if err != nil {
		return err
	}
	slices.SortFunc(names, formatLast)
	for _, name := range names {
		if err := s.pack(out, dir, name); err != nil {
			return fmt.Errorf("store %s: backup of %s: %w", s.dir, name, err)
		}
	}
	return out.Close()
}

// Why a backup or a restore is refused.
var (
	ErrBusy     = errors.New("a backup is being made")
	ErrOccupied = errors.New("not empty")
)

// removeCheckpoint removes what a process left that was killed amid a backup.
func (s *Store) removeCheckpoint() {
	if err := s.fs.RemoveAll(s.fs.PathJoin(s.dir, checkpointDir)); err != nil {
		s.log.to.Warn("store.error", "dir", s.dir, "error", err)
	}
}

// checkpoint makes a directory that holds a store.
func (s *Store) checkpoint(dir string) error {
	if err := s.writeSynced(nil); err != nil { // what was not synced is in it too
		return err
	}
	if err := s.db.Checkpoint(dir); err != nil {
		return err
	}
	return writeFormat(s.fs, dir)
}

// formatLast sorts names so that the format file is the last.
func formatLast(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == formatFile:
		return 1
	case b == formatFile:
		return -1
	}
	return strings.Compare(a, b)
}

func (s *Store) pack(out *tar.Writer, dir, name string) error {
	f, err := s.fs.Open(s.fs.PathJoin(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o600, ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.CopyN(out, &untilEnding{s, f}, info.Size())
	return err
}

// untilEnding is a file that cannot be read any more when its store is being closed, which waits for the reader.
type untilEnding struct {
	s *Store
	f vfs.File
}

// Read implements io.Reader.
func (r *untilEnding) Read(p []byte) (int, error) {
	if r.s.ending() {
		return 0, core.ErrStoreClosed
	}
	return r.f.Read(p)
}

// Unpack makes dir a store out of what Backup wrote. dir must be absent or empty. Everything is synced before the file that
// makes it a store appears; an input that ends before is an error, and dir is left without that file.
func Unpack(from io.Reader, dir string) error {
	if err := Vacant(dir); err != nil {
		return err
	}
	if err := makeDir(vfs.Default, dir); err != nil {
		return err
	}
	in := tar.NewReader(from)
	for {
		h, err := in.Next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("the backup is incomplete: it ends without its file %q", formatFile)
		case err != nil:
			return fmt.Errorf("the backup cannot be read: %w", err)
		case h.Typeflag != tar.TypeReg || h.Name != filepath.Base(h.Name) || !filepath.IsLocal(h.Name):
			return fmt.Errorf("the backup holds %q, which is no file of a store", h.Name)
		case h.Name == formatFile:
			return seal(in, dir)
		}
		if err := store(in, filepath.Join(dir, h.Name)); err != nil {
			return fmt.Errorf("the backup's file %s: %w", h.Name, err)
		}
	}
}

// Copy makes to a store that holds what the one in from does: a restore, or the backup of a store that nobody uses
// (otherwise ErrLocked). to must be absent or empty.
func Copy(from, to string) error {
	if fresh, err := inspect(vfs.Default, from); err != nil || fresh {
		return errors.Join(err, absent(from, fresh))
	}
	lock, err := pebble.LockDirectory(from, vfs.Default)
	if _, path := errors.AsType[*fs.PathError](err); err != nil && !path { // where no file can be made, nobody writes
		return fmt.Errorf("store %s is %w", from, ErrLocked)
	}
	if err == nil {
		defer lock.Close()
	}
	if err := Vacant(to); err != nil {
		return err
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := makeDir(vfs.Default, to); err != nil {
		return err
	}
	for _, f := range files {
		if !f.Type().IsRegular() || f.Name() == formatFile || f.Name() == "LOCK" {
			continue
		}
		if err := copyFile(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
			return fmt.Errorf("copy of %s: %w", f.Name(), err)
		}
	}
	f, err := os.Open(filepath.Join(from, formatFile))
	if err != nil {
		return err
	}
	defer f.Close()
	return seal(f, to)
}

func absent(dir string, fresh bool) error {
	if !fresh {
		return nil
	}
	return fmt.Errorf("there is no store in %s", dir)
}

// Vacant refuses a directory that holds anything.
func Vacant(dir string) error {
	files, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(files) > 0:
		return fmt.Errorf("%s is %w: it holds %q", dir, ErrOccupied, files[0].Name())
	}
	return nil
}

func copyFile(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return store(f, to)
}

// store writes a file and syncs it.
func store(from io.Reader, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Sync(), f.Close())
}

// seal writes the format file, when all else is there and is synced.
func seal(from io.Reader, dir string) error {
	if err := syncDir(vfs.Default, dir); err != nil {
		return err
	}
	if err := store(from, filepath.Join(dir, formatFile)); err != nil {
		return err
	}
	if err := readFormat(vfs.Default, dir); err != nil {
		return err
	}
	return syncDir(vfs.Default, dir)
}
