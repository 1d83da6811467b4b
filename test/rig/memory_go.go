//go:build race || !cgo

package rig

// StoreHeap is what the store's memory tables and its cache may hold of the heap: pebble takes them from C where it can, but
// without cgo, and in every second process with the race detector, from Go.
const StoreHeap = 40 << 20
