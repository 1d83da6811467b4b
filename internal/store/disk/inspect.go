package disk

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/entrepot/entrepot/core"
)

// Damage is a part of a store that cannot be read.
type Damage struct {
	File     string // where it is
	From, To []byte // keys that the file holds; what lies between may be missing
	Err      error
}

// Inspect reads every record of the store in dir, which nobody may use meanwhile, and writes nothing. Records that are there
// go to visit, in the order of their keys; files of which a part cannot be read come back. The error tells that the store
// cannot be opened at all.
func Inspect(dir string, visit func(core.Record)) (damaged []Damage, err error) {
	fresh, err := inspect(vfs.Default, dir)
	if err != nil || fresh {
		return nil, errors.Join(err, absent(dir, fresh))
	}
	lock, err := pebble.LockDirectory(dir, vfs.Default)
	if err != nil {
		return nil, fmt.Errorf("store %s is %w", dir, ErrLocked)
	}
	defer lock.Close()
	var found []Damage
	quiet := &logger{to: slog.New(slog.DiscardHandler), fatal: func(err error) { panic(commitFailure{err}) }}
	o := (&Store{lock: lock, log: quiet}).options(Options{FS: vfs.Default})
	o.ReadOnly = true
	o.EventListener = &pebble.EventListener{DataCorruption: func(i pebble.DataCorruptionInfo) {
		found = append(found, Damage{i.Path, i.Bounds.Start, i.Bounds.End.Key, i.Details})
	}}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store %s cannot be read: %v", dir, p)
		}
	}()
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("store %s cannot be opened: %w", dir, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var from []byte
	for {
		known := len(found)
		last, err := walkFrom(db, from, visit)
		switch {
		case err == nil:
			return found, nil
		case len(found) == known:
			return found, fmt.Errorf("store %s cannot be read after key %q: %w", dir, last, err)
		}
		next := append(slices.Clone(found[known].To), 0) // behind the file that stopped it
		found = found[:known+1]
		if string(next) <= string(from) {
			return found, fmt.Errorf("store %s cannot be read after key %q: %w", dir, last, err)
		}
		from = next
	}
}

// walkFrom visits the records from a key on, and tells the last one that it saw.
func walkFrom(db *pebble.DB, from []byte, visit func(core.Record)) (last []byte, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: from})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return last, err
		}
		last = append(last[:0], it.Key()...)
		visit(core.Record{Key: it.Key(), Value: v})
	}
	return last, it.Error()
}
