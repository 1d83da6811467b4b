// Package rig runs a gateway inside a test's process, as `entrepot serve` does, and looks at what it says and keeps: its log,
// its metrics, the goroutines, descriptors and heap of the process. What docs/operations.md promises is tested with it.
package rig
