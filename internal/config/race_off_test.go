//go:build !race

package config

const hostileShare = 1
