//go:build race

package config

// hostileShare is the part of the largest size that is tried: the race detector makes the parser ten times slower.
const hostileShare = 8
