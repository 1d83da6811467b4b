//go:build race

package disk

// With the race detector pebble checks itself: some of its iterators, by
// chance, copy what they stand on. So many allocations more are allowed for
// each thing.
const checked = 4
