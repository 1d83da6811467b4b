package disk

import (
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	block       = 4 << 10  // what is written past the cache is whole blocks
	directBytes = 64 << 10 // what waits for the next sync at most
)

// direct is a log that is written past the cache of the operating system: a sync
// hands the blocks at hand to the disk. To write them to the cache first, and to
// look for them there, is a sixth of the broker's CPU for a lone synced write.
// A block that is not full is written again by the next sync, with what it had
// before, as the cache would. What does not fit here goes to the disk earlier.
//
// Close hands nothing over: pebble syncs a log before it closes it, unless the
// log has failed. Then the file may be another store's by now.
type direct struct {
	vfs.File
	at    int64  // of the first byte of buf in the file, a multiple of block
	buf   []byte // aligned
	n     int    // bytes of buf that were written
	clean int    // of them, those that the file has
}

// log is how the log is written; nil: as any file.
func (o *Options) log() func(vfs.File) vfs.File {
	switch {
	case o.Sync != SyncAlways:
		return nil
	case o.Blocks:
		return func(f vfs.File) vfs.File { return newDirect(f) }
	}
	return past
}

func newDirect(f vfs.File) *direct { return &direct{File: f, buf: aligned(directBytes)} }

// aligned is memory that begins at a multiple of block.
func aligned(n int) []byte {
	b := make([]byte, n+block)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & (block - 1)
	return b[skip : skip+n : skip+n]
}

func (d *direct) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if d.n == len(d.buf) {
			if err := d.hand(); err != nil {
				return n, err
			}
		}
		k := copy(d.buf[d.n:], p[n:])
		d.n += k
		n += k
	}
	return n, nil
}

// hand gives the file what it does not have. The block that is not full stays.
func (d *direct) hand() error {
	if d.clean == d.n {
		return nil
	}
	from, full := d.clean/block*block, d.n/block*block
	end := (d.n + block - 1) / block * block
	clear(d.buf[d.n:end]) // zeros are the end of a log
	if _, err := d.File.WriteAt(d.buf[from:end], d.at+int64(from)); err != nil {
		return err
	}
	d.n = copy(d.buf, d.buf[full:d.n])
	d.at, d.clean = d.at+int64(full), d.n
	return nil
}

// SyncData makes what was written safe.
func (d *direct) SyncData() error {
	if err := d.hand(); err != nil {
		return err
	}
	return d.File.SyncData()
}

// Sync also makes safe what the file system knows of the file.
func (d *direct) Sync() error {
	if err := d.hand(); err != nil {
		return err
	}
	return d.File.Sync()
}

// SyncTo is SyncData.
func (d *direct) SyncTo(int64) (full bool, err error) { return true, d.SyncData() }
