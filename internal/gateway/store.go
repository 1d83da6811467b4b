package gateway

import (
	"fmt"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/disk"
	"github.com/entrepot/entrepot/internal/store/memory"
)

// Store is the section `store`.
type Store struct {
	// Sync is always: what was acknowledged survives a power cut; or never: it survives the end of the process alone.
	Sync string `yaml:"sync" enum:"always,never"`
}

// DefaultStore is the section when the configuration says nothing.
func DefaultStore() *Store { return &Store{Sync: "always"} }

func (g *Gateway) openStore() error {
	if g.options.Config.Node.Data == Memory {
		g.store = memory.New()
		return nil
	}
	s, err := disk.Open(g.options.Config.Node.Data, disk.Options{Logger: g.log})
	if err != nil {
		return fmt.Errorf("%w. Try: another --data DIR, or --data memory", err)
	}
	g.store = s
	g.closers = append(g.closers, s.Close)
	if section, ok := g.options.Sections["store"].(*Store); ok && section.Sync == "never" {
		g.store = unsynced{s}
	}
	return nil
}

// unsynced leaves syncing to the operating system.
type unsynced struct{ core.Store }

// Write implements core.Store.
func (u unsynced) Write(batches []*core.Batch, _ bool) error { return u.Store.Write(batches, false) }
