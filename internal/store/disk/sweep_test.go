package disk

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// crowded is a disk that is full for as long as a certain file is there.
type crowded struct {
	vfs.FS
	name string
}

func (c *crowded) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if _, err := c.Stat(c.name); err == nil {
		return vfs.DiskUsage{}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 30}, nil
}

// TestSECURITY_O6_WhatAStoreBeganTakesNoSpaceFromIt: the tables that a store was
// writing when the disk became full are no part of it, and nobody else removes
// them.
func TestSECURITY_O6_WhatAStoreBeganTakesNoSpaceFromIt(t *testing.T) {
	t.Parallel()
	disk := &crowded{FS: vfs.NewMem(), name: "data/000900.sst"}
	var on atomic.Bool
	l := mustLast(t, quiet(t, errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if on.Load() && op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".log") && on.Swap(false) {
			return syscall.ENOSPC
		}
		return nil
	}))))
	defer l.Close()
	if err := l.Write(one("a", "1"), true); err != nil {
		t.Fatal(err)
	}
	if err := l.now.db.Flush(); err != nil { // a table that is to stay
		t.Fatal(err)
	}
	f, err := disk.Create(disk.name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	on.Store(true)
	if err := l.Write(one("b", "2"), true); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b"} {
		if v, err := l.Get([]byte(key)); v == nil || err != nil {
			t.Errorf("%s: %q, %v", key, v, err)
		}
	}
}
