// Package load makes MQTT 3.1.1 load that costs less than the brokers it measures: one locked thread on an epoll of its
// own, frames encoded once and patched, writes in batches, and a reader that counts without allocating.
//
// It is defined by docs/performance.md. Sequence numbers find loss, duplicates and reordering exactly; latency counts
// from the intended time of sending.
package load
