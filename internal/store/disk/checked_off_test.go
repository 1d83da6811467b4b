//go:build !race

package disk

const checked = 0
