package gateway

import (
	"github.com/entrepot/entrepot/internal/config"
)

// settings are the configuration of the moment; a reload replaces them.
type settings struct {
	config   *config.Config
	sections map[string]any
}

// limits is the section `limits`.
func (s *settings) limits() *Limits {
	if l, ok := s.sections["limits"].(*Limits); ok {
		return l
	}
	return DefaultLimits()
}

// sys is the section `sys`.
func (s *settings) sys() *Sys {
	if x, ok := s.sections["sys"].(*Sys); ok {
		return x
	}
	return DefaultSys()
}

// store is the section `store`.
func (s *settings) store() *Store {
	if x, ok := s.sections["store"].(*Store); ok {
		return x
	}
	return DefaultStore()
}

// now are the settings that hold.
func (g *Gateway) now() *settings { return g.current.Load() }
