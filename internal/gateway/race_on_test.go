//go:build race

package gateway

// raceEnabled: the race detector has memory of its own.
const raceEnabled = true
