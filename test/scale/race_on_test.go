//go:build race

package scale

// divisor makes everything smaller that the race detector would make last for minutes; `make scale` runs without it.
const divisor = 10
