// Package scale runs a gateway at the sizes that docs/operations.md promises: ten thousand sessions, storms of takeovers and
// of subscriptions, every packet identifier in use. It counts what was acknowledged against what arrived, and looks at what
// the process holds afterwards: goroutines, descriptors, heap.
//
// SCALE=10 makes the storms ten times as long; ENTREPOT_TOGETHER=1000000 has a million subscriptions and retained messages
// beside as many connections as there may be.
package scale
