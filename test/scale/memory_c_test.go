//go:build !race && cgo

package scale

// storeHeap is nothing: the store's memory tables and its cache are not in Go's heap.
const storeHeap = 0
