package disk

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// sweep removes the tables that a store had begun when its disk became full, and
// that are no part of it. The next start would; but it waits for the space that
// they take up, and a compaction may have begun as much as the store holds.
func (l *Lasting) sweep() {
	if err := sweep(cmp.Or(l.o.FS, vfs.Default), l.dir); err != nil {
		l.o.Logger.Debug("store.sweep", "dir", l.dir, "error", err) // then others have to make room
	}
}

func sweep(disk vfs.FS, dir string) (err error) {
	lock, err := pebble.LockDirectory(dir, disk)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	names, err := disk.List(dir)
	if err != nil {
		return err
	}
	parts, err := tablesOf(disk, dir, lock)
	if err != nil {
		return err
	}
	for _, name := range names {
		n, err := strconv.ParseUint(strings.TrimSuffix(name, ".sst"), 10, 64)
		if err != nil || !strings.HasSuffix(name, ".sst") || parts[n] {
			continue
		}
		if err := disk.Remove(disk.PathJoin(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// tablesOf are the numbers of the tables that a store consists of. Nothing is
// written.
func tablesOf(disk vfs.FS, dir string, lock *pebble.Lock) (parts map[uint64]bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store %s cannot be read: %v", dir, p)
		}
	}()
	quiet := &logger{to: slog.New(slog.DiscardHandler), fatal: func(err error) { panic(commitFailure{err}) }}
	o := (&Store{lock: lock, log: quiet}).options(Options{FS: disk})
	o.ReadOnly = true
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	levels, err := db.SSTables()
	if err != nil {
		return nil, err
	}
	parts = map[uint64]bool{}
	for _, tables := range levels {
		for _, x := range tables {
			parts[uint64(x.BackingSSTNum)] = true
		}
	}
	return parts, nil
}
