package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/store/disk"
	"github.com/entrepot/entrepot/internal/store/memory"
)

// Store is the section `store`.
type Store struct {
	// Sync is always: what was acknowledged survives a power cut and a kill; interval: either may take the last Interval;
	// never: a kill may take the newest 32 KiB, a power cut what the operating system holds. docs/guarantees.md
	Sync string `yaml:"sync" enum:"always,interval,never"`
	// Interval is the time between syncs of sync: interval, 1ms to 1m.
	Interval time.Duration `yaml:"interval"`
	// Reserve is the free space below which nothing more is stored: QoS 1 and 2 are refused, "disk full". 0: 5 % of the disk, at least 64MiB, at most 1GiB.
	Reserve config.Size `yaml:"reserve"`
}

// DefaultStore is the section when the configuration says nothing.
func DefaultStore() *Store { return &Store{Sync: "always", Interval: 100 * time.Millisecond} }

// Validate names the key that is out of range.
func (s *Store) Validate() error {
	if s.Interval < time.Millisecond || s.Interval > time.Minute {
		return errors.New("interval is 1ms to 1m")
	}
	return nil
}

var syncPolicies = map[string]disk.SyncPolicy{"always": disk.SyncAlways, "interval": disk.SyncInterval, "never": disk.SyncNever}

// storeDir is the store's place in the data directory, which holds other files too.
const storeDir = "store"

// StoreDir is where the store of a data directory is.
func StoreDir(data string) string { return filepath.Join(data, storeDir) }

func (g *Gateway) openStore(now *settings) error {
	data := now.config.Node.Data
	if data == Memory {
		g.store = memory.New()
		return nil
	}
	if err := checkData(data); err != nil {
		return fmt.Errorf("%w. Try: another --data DIR, or --data memory", err)
	}
	o := disk.Options{
		Logger: g.log, Sync: syncPolicies[now.store().Sync], Interval: now.store().Interval,
		FS:     g.options.Disk,
		Errors: func(op string) { g.metrics.Counter("store_errors_total", op).Add(1) },
		Lost:   g.reports,
		Synced: func(took time.Duration) { g.syncs.Observe(took) },
	}
	s, err := disk.OpenLasting(StoreDir(data), o)
	switch {
	case disk.IsFull(err):
		return fmt.Errorf("store %s cannot be opened: its disk is full. Try: make room on it, or another --data DIR", StoreDir(data))
	case errors.Is(err, disk.ErrDamaged), errors.Is(err, disk.ErrIncomplete):
		return fmt.Errorf("%w. Nothing was changed. Try: entrepot store restore, from a backup", err)
	case err != nil:
		return fmt.Errorf("%w. Try: another --data DIR, or --data memory", err)
	}
	g.store = s
	g.closers = append(g.closers, s.Close)
	g.giveUp = s.GiveUp
	return nil
}

// reports ends the gateway, and with it the process, for a store that is lost. [SECURITY O7]
func (g *Gateway) reports(err error) { report(g.failed, fmt.Errorf("the store is given up: %w", err)) }

// checkData refuses a directory that holds something, but no store of ours: nothing is made in it.
func checkData(dir string) error {
	files, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(files) > 0 && !slices.ContainsFunc(files, func(f fs.DirEntry) bool { return f.Name() == storeDir }):
		return fmt.Errorf("%s holds files, but no store of entrepot", dir)
	}
	return nil
}
