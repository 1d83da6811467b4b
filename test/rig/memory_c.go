//go:build !race && cgo

package rig

// StoreHeap is nothing: the store's memory tables and its cache are not in Go's heap.
const StoreHeap = 0
