package core

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// protocols numbers the names of protocols, which are few: each session has
// one. The zero value has none.
type protocols struct {
	mu    sync.Mutex
	names atomic.Pointer[[]string] // by number, from 1
}

// of is the number of a name; 0: too many names.
func (x *protocols) of(name string) uint8 {
	if n := x.find(name); n != 0 {
		return n
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := x.find(name); n != 0 {
		return n
	}
	var names []string
	if old := x.names.Load(); old != nil {
		names = slices.Clone(*old)
	}
	if len(names) == math.MaxUint8 {
		return 0
	}
	names = append(names, name)
	x.names.Store(&names)
	return uint8(len(names))
}

func (x *protocols) find(name string) uint8 {
	if names := x.names.Load(); names != nil {
		return uint8(slices.Index(*names, name) + 1)
	}
	return 0
}

// name is the name of a number, "" for 0.
func (x *protocols) name(n uint8) string {
	if n == 0 {
		return ""
	}
	return (*x.names.Load())[n-1]
}
