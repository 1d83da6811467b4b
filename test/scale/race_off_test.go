//go:build !race

package scale

const divisor = 1
